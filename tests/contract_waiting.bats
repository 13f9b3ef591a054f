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
	contract 2 wait w01-times-left
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

# contract: W03
@test "no wake-up is lost and none is for nothing" {
	contract 3 wait w03-ping-pong
}

# contract: W03
@test "quiet ends wake nobody" {
	contract 24 wait w03-quiet-ends
}

# contract: W03
@test "a receive after poll never sleeps, whatever ends" {
	contract 50 wait w03-churn
}

# contract: W03
@test "each notification is there when poll says so" {
	contract 50 wait w03-subscribed-churn
}
