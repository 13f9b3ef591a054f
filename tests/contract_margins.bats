# The transparency contract at the margins of a receive: little room, signals, no files, restarts.
# seconds a test: 20
load contract

# contract: R03
@test "a name that ends where memory ends" {
	contract 2 margins r03-names-end
}

# contract: N05
@test "a notification in parts, the rest of which looks like another" {
	contract 16 margins n05-in-parts
}

# contract: N03 R06
@test "an end that nobody asked for is nothing, also to who has room for nothing" {
	contract 8 margins n03-into-nothing
}

# contract: T03 R07
@test "a sleeper that is stopped and continued sleeps on" {
	contract 1 margins t03-stopped
}

# contract: T03 P01
@test "a handler forks while its thread sleeps in a receive: both go on" {
	requires plain
	contract 2 margins t03-doubled
}

# contract: F01
@test "no file can be made when an association is to be peeled off: it lives on" {
	requires plain
	[ -d /run/guest ] || skip 'needs a guest: here it would leave the whole machine without files'
	contract 1 margins f01-no-file
}

# contract: D03
@test "what is written to closed standard descriptors reaches no peer" {
	requires plain
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/slow_peel.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/slow_peel.so" "$TESTS/preloads/slow_peel.c"
	contract 4 margins d03-strays
}

# contract: R05
@test "a message whose time is over before all of it came keeps nobody from being heard" {
	requires plain
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/minutes.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/minutes.so" "$TESTS/preloads/minutes.c"
	# only here minutes pass
	contract 4 margins r05-given-up CONTRACT_CONTEXT=
}

# contract: N04
@test "the same peer again, in a crowd: the old life's end comes before the new one's begin" {
	contract 400 margins n04-crowd
}
