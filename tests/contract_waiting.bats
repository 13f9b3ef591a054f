# Rows W01 to W03 of the transparency contract: poll, select, epoll.
load contract

# contract: W01
@test "poll and select in all their forms: every state" {
	contract 3 wait w01-states
}

# contract: W01
@test "poll and select when associations end" {
	contract 3 wait w01-ends
}

# contract: W01
@test "which bits of events bring which of revents" {
	contract 1 wait w01-bits
}

# contract: W01
@test "every waiting call sleeps until a known or a new association speaks" {
	contract 3 wait w01-sleeps
}

# contract: W01
@test "timeouts are neither early nor late" {
	contract 2 wait w01-timeouts
}

# contract: W01
@test "odd times, and what select leaves of its time" {
	requires plain # it gives wrong sizes on purpose, and a sanitizer looks at them first
	contract 2 wait w01-times-left
}

# contract: W01
@test "sets and masks that are nowhere: EFAULT" {
	requires plain
	contract 2 wait w01-nowhere
}

# contract: W01
@test "sets of several sockets, the same twice, negative and closed numbers" {
	contract 3 wait w01-sets
}

# contract: W01
@test "asleep on a set" {
	contract 3 wait w01-sleeps-in-sets
}

# contract: W01
@test "a signal interrupts each waiting call" {
	contract 2 wait w01-interrupted
}

# contract: W01
@test "signal masks of ppoll and pselect are atomic" {
	contract 2 wait w01-masks
}

# contract: W02
@test "epoll, level: watched before and after the first message" {
	contract 6 epoll w02-level
}

# contract: W02
@test "epoll tells of each notification" {
	contract 2 epoll w02-subscribed
}

# contract: W02
@test "which bits of epoll bring which" {
	contract 1 epoll w02-bits
}

# contract: W02
@test "what is watched, and its mark, can be changed" {
	contract 2 epoll w02-changes
}

# contract: W02
@test "epoll's errors" {
	contract 1 epoll w02-errors
}

# contract: W02
@test "each arrival is an edge, nothing else" {
	contract 2 epoll w02-edge
}

# contract: W02
@test "adding and changing are edges" {
	contract 2 epoll w02-edge-changes
}

# contract: W02
@test "a loop over edges leaves nothing behind" {
	contract 4 epoll w02-edge-loop
}

# contract: W02
@test "one-shot: told once, until armed again" {
	contract 2 epoll w02-oneshot
}

# contract: W02
@test "one-shot wakes one of two threads" {
	contract 2 epoll w02-oneshot-wakes-one
}

# contract: W02
@test "four threads in epoll_wait: each message once" {
	contract 12 epoll w02-threads
}

# contract: W02
@test "maxevents 1: all in their turn" {
	contract 2 epoll w02-one-at-a-time
}

# contract: W02
@test "the socket in several sets, each in its own way" {
	contract 2 epoll w02-several-sets
}

# contract: W02
@test "sets within sets, in poll and select" {
	contract 2 epoll w02-nested
}

# contract: W02
@test "asleep in a set, and in a set within a set" {
	contract 3 epoll w02-sleeps
}

# contract: W02
@test "the socket under two numbers: two entries, two events" {
	contract 2 epoll w02-twins
}

# contract: W02
@test "what is closed is forgotten, its number is another's" {
	contract 2 epoll w02-closed
}

# contract: W02
@test "epoll_pwait and epoll_pwait2: masks and times" {
	contract 1 epoll w02-pwait
}

# contract: W02
@test "a signal interrupts epoll_wait" {
	contract 1 epoll w02-interrupted
}

# contract: W02
@test "the socket added to a set in which a thread sleeps" {
	contract 2 epoll w02-added-while-asleep
}

# contract: W03
@test "no wake-up is lost and none is for nothing" {
	contract 3 wait w03-ping-pong
}

# contract: W03
@test "quiet ends wake nobody" {
	contract 24 wait w03-quiet-ends
}

# contract: W03
@test "quiet ends wake no epoll set" {
	contract 9 epoll w03-quiet-in-sets
}

# contract: W03
@test "a receive after poll never sleeps, whatever ends" {
	contract 50 wait w03-churn
}

# contract: W03
@test "each notification is there when poll says so" {
	contract 50 wait w03-subscribed-churn
}

# contract: W04
@test "poll says writable when a stalled association takes data again, not before" {
	contract 2 wait w04-room
}

# held: W05 from the moment when O_ASYNC is set
# contract: W05
@test "signal-driven input: as natively, and peels are held" {
	contract 0 wait w05-signals
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	run events "$BATS_TEST_TMPDIR/trace" '"verdict":"hold"' O_ASYNC
	[ "$output" -gt 0 ]
}
