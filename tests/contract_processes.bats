# The transparency contract, D06 and P: sockets that are sent, forked and executed, ends of processes.
load contract

holds() {
	run events "$BATS_TEST_TMPDIR/trace" '"verdict":"hold"' "$1"
	[ "$output" -gt 0 ]
}

# held: D06 from the moment when the socket is sent or received; what was peeled off before stays with the sender
# contract: D06
@test "a socket that is sent to another process: both receive from all, and peels are held" {
	contract 0 processes d06-sent
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	holds 'sent to another process'
	holds 'came from another process'
}

# contract: D06
@test "a socket that is sent with sendmmsg" {
	contract 0 processes d06-sent-many
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	holds 'sent to another process'
	holds 'came from another process'
}

# contract: D06
@test "a socket that is sent when associations have been peeled off" {
	contract 2 processes d06-late
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 2
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"' 'stays with the sender')" 1
}

# contract: P01
@test "fork: both sides receive from all, and peels go on" {
	contract 4 processes p01-fork
}

# contract: P03
@test "exec: what is closed by it ends as natively, also what was peeled off" {
	contract 1 processes p03-cloexec
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"')" 0
}

# contract: P03
@test "exec with a socket that goes along: the new image serves" {
	contract 3 processes p03-inherited
}

# contract: P04
@test "posix_spawn, vfork, fork, popen and system leave the parent's endpoints alone" {
	contract 2 processes p04-children
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"')" 0
}

# contract: P05
@test "exit, abort and kill -9: associations end as natively, the trace has whole lines" {
	requires jq
	contract 12 processes p05-ends
	jq -e .event "$BATS_TEST_TMPDIR/trace" >/dev/null
}
