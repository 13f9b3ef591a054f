# Rows S01, S03, S04, O02 to O04, O06 and R07 of the transparency contract: where sends go, and what is set on a socket.
load contract

# contract: S04
@test "SCTP_SENDALL passes over one that is about to end, and the others get it" {
	contract 4 addressing s04-all-but-one
}

# contract: S03
@test "names that are too long, or of the other family" {
	contract 2 addressing s03-names
}

# contract: S01
@test "two control messages that name two associations" {
	contract 2 addressing s01-two-ids
}

# contract: S03
@test "vectors of nothing, and flags of pwritev2" {
	contract 2 addressing s03-vectors
}

# contract: S01
@test "an address that a peer adds reaches it, and so does the next" {
	contract 2 addressing s01-more-addresses
}

# contract: O02 O06
@test "SCTP_AUTO_ASCONF: peers hear of an address that comes and goes" {
	requires netns
	contract 2 addressing o06-auto-asconf
}

# contract: O06
@test "an address that is taken from the socket is free, and its peers know" {
	contract 2 addressing o06-removed
}

# peels_slowly TEST: where the kernel is long about its answers.
peels_slowly() {
	local slow=$BATS_FILE_TMPDIR/slow_peel.so
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$slow
	[ -e "$slow" ] || cc -D_GNU_SOURCE -shared -fPIC -o "$slow" "$TESTS/preloads/slow_peel.c"
	contract 1 addressing "$1"
}

# contract: O02
@test "an option for all reaches one that is being peeled off" {
	requires plain
	peels_slowly o02-context-amid
}

# contract: O02 N01
@test "a subscription reaches one that is being peeled off" {
	requires plain
	peels_slowly o02-events-amid
}

# contract: O02 D02
@test "SO_LINGER reaches one that is being peeled off" {
	requires plain
	peels_slowly o02-linger-amid
}

# contract: O03
@test "one that is being peeled off is counted" {
	requires plain
	peels_slowly o03-number-amid
}

# contract: R07
@test "a client receives while its only association is being peeled off" {
	requires plain
	peels_slowly r07-client-amid
}

# held: O04 what cannot be set again without privileges
# contract: O04
@test "a mark that takes privileges to set: who has given them up is not peeled from" {
	contract 0 addressing o04-privileges
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	run events "$BATS_TEST_TMPDIR/trace" '"verdict":"hold"' privileges
	[ "$output" -gt 0 ]
}

# contract: R07
@test "SO_RCVTIMEO of all sizes: the longest is no short one" {
	contract 2 addressing r07-timeouts
}
