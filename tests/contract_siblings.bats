# The transparency contract, P02: processes that share a socket after fork.
load contract

# contract: P02
@test "messages of one association go to parent and child in turn, and both answer" {
	contract 3 siblings p02-traffic
}

# contract: P02
@test "what a child does first finds what its parent has peeled off: send, options, poll, receive" {
	contract 10 siblings p02-first
}

# contract: P02
@test "a newcomer is held from the fork on where an epoll set is shared, though the child has yet to run" {
	contract 5 siblings p02-first CONTRACT_CONTEXT=level
}

# contract: P02
@test "a shared epoll set holds newcomers also where there is no /proc to see the others in" {
	requires netns
	mkdir "$BATS_TEST_TMPDIR/root"
	contract 5 siblings p02-rootless CONTRACT_CONTEXT=level CONTRACT_ROOT="$BATS_TEST_TMPDIR/root"
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 5
}

# contract: P02 R05
@test "one reads the beginning of a message, another its rest: both hear the others then" {
	contract 2 siblings p02-rest SCTPEEL_POLICY='peel if msgs >= 2'
}

# contract: P02
@test "the end of an association is told once, and known to all" {
	contract 3 siblings p02-ends
}

# contract: P02
@test "one sleeps while two hundred come and go, and finds those that stayed" {
	contract 200 siblings p02-many
}

# contract: P02
@test "what one takes for itself is no more there for the other" {
	contract 2 siblings p02-moved
}

# contract: P02
@test "what one sets on the socket holds for all" {
	contract 2 siblings p02-settings
}

# contract: P02
@test "one is killed, one closes, one is new: the others go on" {
	contract 3 siblings p02-deaths
}

# contract: P02
@test "the one that opened the socket goes first" {
	contract 2 siblings p02-orphans
}
