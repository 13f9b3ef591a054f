# The transparency contract, P01 to P04: what children must not bring about, by fork, vfork, spawn, exec.
# seconds a test: 60
load contract

trace_has() {
	run events "$BATS_TEST_TMPDIR/trace" "$@"
	[ "$output" -gt 0 ]
}

# contract: P01 T06
@test "a child of fork asks about new numbers while another thread did so: it does not hang" {
	contract 0 offspring p01-unknown
}

# contract: P01
@test "a fork where no file may be long is no end" {
	contract 4 offspring p01-short-files
}

# What was peeled off cannot go along then; nor can the trace, a file as well, say so.
# contract: P03
@test "an exec where no file may have a byte is no end: the new image runs" {
	contract 2 offspring p03-no-files
}

# contract: P01
@test "a child that goes on as a helper without the socket: peels go on while it lives" {
	contract 3 offspring p01-helper
}

# More on their way at a time than the kernel lets them have (ETOOMANYREFS): so no number is spared.
# contract: P02 F01
@test "workers without privileges and with few descriptors: one is killed, no association ends" {
	[ "$EUID" -eq 0 ] || skip 'needs root to give up privileges'
	contract 40 offspring p02-poor SCTPEEL_FD_RESERVE=0
}

# contract: P02
@test "a worker that is stopped stops nobody else" {
	requires plain
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/stop_inside.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/stop_inside.so" "$TESTS/preloads/stop_inside.c"
	contract 0 offspring p02-stopped SCTPEEL_POLICY='peel if msgs >= 1000000'
}

# contract: P02 W02
@test "one process waits in a shared set for what the other has armed (EPOLLONESHOT)" {
	contract 1 offspring p02-oneshot
}

# contract: P02 R05
@test "a process whose main thread has ended still shares the socket" {
	contract 2 offspring p02-headless SCTPEEL_POLICY='peel if msgs >= 2'
}

# held: P04 in a program that was started with the socket, while the one that started it has it open
# contract: P04 P02
@test "two spawned workers on one socket hear from all and answer all: held" {
	contract 0 offspring p04-spawned
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	trace_has '"verdict":"hold"' 'shared with the process that started this one'
}

# contract: P04
@test "a service that is started by its socket (LISTEN_PID): its parent keeps the socket, and peels go on" {
	contract 3 offspring p04-activated
}

# contract: P04 D03
@test "a child of vfork may use any number that is free: its parent goes on" {
	contract 3 offspring p04-free-numbers
}

# contract: P03 G05
@test "an exec as another user: nothing of ours stays open in the new image, and it is said before" {
	[ "$EUID" -eq 0 ] || skip 'needs root to become another user'
	contract 2 offspring p03-other-user
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"' \
		'exec: 2 peeled associations do not go along with the socket: the program is set-user-ID')" 1
}
