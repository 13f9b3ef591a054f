# Any peers against any servers under any policy; make torture goes on with other seeds.
# seconds a test: 50
load helper

torture() {
	"$TESTS/torture/run" "$@"
}

# What fails natively is the test's own fault.
@test "any peers, any server, natively" {
	requires netns
	torture -n 1 4 6 20
}

@test "any peers, any server, any policy" {
	requires netns
	torture 1 3 4 6 10 12 14 18 19 20 21 30
}

@test "messages in parts on several processors, where a peel would let packets overtake each other" {
	requires netns
	[ "$(nproc)" -gt 1 ] || skip 'needs two processors'
	for _ in {1..10}; do
		torture -s 0 -r "$TESTS/torture/parts.script"
	done
}

@test "the judge sees what is lost, doubled, changed, left open, or stuck; and shrinks the script" {
	local fault script=$BATS_TEST_TMPDIR/script
	declare -A says=([lose]='60 of 61 came' [double]='came twice'
		[change]='its checksum is wrong' [leak]='descriptors instead of'
		[memory]='its memory has grown' [hang]='nothing moves')
	requires netns plain
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/faulty.so" "$TESTS/preloads/faulty.c"
	printf '%s\n' 'server info=sndrcv rounds=4' 'policy none' '0 connect' '0 pause 7' \
		'0 send 60 100 2 0 0' \
		'0 pause 7' '0 send 1 60 0 0 0' '1 connect' '1 send 1 60 0 0 0' >"$script"
	for fault in "${!says[@]}"; do
		run env FAULT="$fault" "$TESTS/torture/run" -p "$BATS_TEST_TMPDIR/faulty.so" -w 3 -s 0 \
			-r "$script"
		assert_failure
		assert_output --partial "${says[$fault]}"
	done
	run env FAULT=double "$TESTS/torture/run" -p "$BATS_TEST_TMPDIR/faulty.so" -s 60 -r "$script"
	assert_failure
	refute_line --regexp '^[01] pause'
	refute_line --regexp '^1 (connect|send)'
	assert_line '0 send 60 100 2 0 0'
}
