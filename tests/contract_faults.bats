# shellcheck shell=bash disable=SC2154  # $output is bats'
# Rows F01, F03 and F07 of the transparency contract: when the shim fails, the program goes on.
load contract

# survive FAULT SECTION TEST...: these, with this fault, are as they are natively.
survive() {
	local fault=$1 section=$2 test
	shift 2
	for test; do
		rm -f "$BATS_TEST_TMPDIR/trace"
		contract 0 "$section" "$test" SCTPEEL_INJECT="$fault" || {
			echo "$section $test with $fault"
			return 1
		}
	done
}

# How often the last program's peels failed with this errno, says its trace.
refused() {
	events "$BATS_TEST_TMPDIR/trace" '"event":"peel"' "\"errno\":$1"
}

# fails_always NAME NUMBER SECTION TEST...: no association is peeled, and the trace says why.
fails_always() {
	local name=$1 number=$2
	shift 2
	survive "peel:$name" "$@"
	[ "$(refused "$number")" -gt 0 ]
	[ "$(peels "$BATS_TEST_TMPDIR/trace")" -eq 0 ]
}

# Some are peeled, others later or not at all.
fails_at_times() {
	local name=$1 number=$2
	shift 2
	survive "peel:$name:every=2" "$@"
	[ "$(refused "$number")" -gt 0 ]
	[ "$(peels "$BATS_TEST_TMPDIR/trace")" -gt 0 ]
}

# contract: F01
@test "peels fail with EMFILE: nothing is lost, and an event says so" {
	fails_always EMFILE 24 receive r02-joining r05-bites r07-sleeps
	fails_at_times EMFILE 24 wait w03-subscribed-churn
}

# contract: F01
@test "peels fail with ENFILE: nothing is lost, and an event says so" {
	fails_always ENFILE 23 receive r02-joining r05-dying-hard
	fails_at_times ENFILE 23 receive r02-joining
}

# contract: F01
@test "peels fail with ENOMEM: nothing is lost, and an event says so" {
	fails_always ENOMEM 12 receive r02-joining r06-peek
	fails_at_times ENOMEM 12 send s01-many
}

# contract: F01
@test "peels fail with EINVAL: nothing is lost, and an event says so" {
	fails_always EINVAL 22 receive r02-joining r05-dying-gracefully
	fails_at_times EINVAL 22 notify n02-twice
}

# contract: F01
@test "peels fail with EBUSY: nothing is lost, and an event says so" {
	fails_always EBUSY 16 receive r02-joining r07-client
	fails_at_times EBUSY 16 epoll w02-edge-loop
}

# contract: F01
@test "peels fail with ENOPROTOOPT: nothing is lost, and an event says so" {
	fails_always ENOPROTOOPT 92 receive r02-joining r05-partial
	fails_at_times ENOPROTOOPT 92 send s01-calls
}

# contract: F01
@test "what is refused again and again is tried ever less often" {
	local trace=$BATS_TEST_TMPDIR/trace
	run_shim SCTPEEL_POLICY=all SCTPEEL_INJECT=peel:EBUSY SCTPEEL_TRACE="$trace" \
		"$PROGRAMS/contract_receive" r02-turns
	assert_success
	# of 150 messages each of three associations
	[ "$(refused 16)" -ge 3 ]
	[ "$(refused 16)" -le 45 ]
}

# contract: F01
@test "what the shim could not peel the program can still take" {
	survive peel:EBUSY peeloff x01-ways x01-numbers x03-errors
}

# contract: F01
@test "a peel that takes long changes nothing but the time" {
	survive peel:delay=5ms receive r02-joining
	[ "$(peels "$BATS_TEST_TMPDIR/trace")" -ge 8 ]
	survive peel:delay=5ms wait w03-churn
}

# contract: F03
@test "a sink that is full, gone, closed or not to be had: traffic goes on" {
	local sink
	mkdir "$BATS_TEST_TMPDIR/folder"
	for sink in /dev/full fd:77 unix:/nobody/is/here "$BATS_TEST_TMPDIR/folder" /nowhere/trace \
		/proc/version; do
		both sink SCTPEEL_DEBUG=error SCTPEEL_ON_ERROR=ignore SCTPEEL_TRACE="$sink" \
			"$PROGRAMS/contract_receive" r02-joining
		[[ $(<"$BATS_TEST_TMPDIR/sink.native.err") = *'exit status 0' ]]
	done
}

# A policy that cannot be read is said once; the program runs on without us.
# contract: F07
@test "a bad policy: one warning, and the program runs on" {
	local policy=(SCTPEEL_POLICY='peel if byts > 1') program=("$PROGRAMS/contract_receive" r01-mixed)
	run -0 --separate-stderr "${program[@]}"
	# shellcheck disable=SC2154
	local native=$output
	run_shim -0 --separate-stderr "${policy[@]}" "${program[@]}"
	assert_equal "$output" "$native"
	# shellcheck disable=SC2154
	assert_equal "$(grep -c 'sctpeel: SCTPEEL_POLICY' <<<"$stderr")" 1
	[[ $stderr = *"'byts'"*bytes* ]]
	run_shim -0 --separate-stderr "${policy[@]}" SCTPEEL_ON_ERROR=ignore "${program[@]}"
	assert_equal "$output" "$native"
	assert_equal "$stderr" ''
	run_shim -78 --separate-stderr "${policy[@]}" SCTPEEL_ON_ERROR=abort "${program[@]}"
	assert_equal "$output" ''
}

# contract: F07
@test "bad values of other variables: the program runs on" {
	local native bad
	run -0 --separate-stderr "$PROGRAMS/contract_receive" r01-mixed
	native=$output
	for bad in SCTPEEL_MODE=enforced SCTPEEL_TRACE_FORMAT=xml SCTPEEL_TRACE_EVENTS=pels \
		SCTPEEL_MAX=many SCTPEEL_FD_RESERVE=-5 SCTPEEL_POLICY=@/no/such/file \
		SCTPEEL_QUANTUM=0x SCTPEEL_RCVBUF=1Q SCTPEEL_POLCY=all SCTPEEL_INJECT=peel:EWHAT; do
		run_shim -0 --separate-stderr "$bad" "$PROGRAMS/contract_receive" r01-mixed
		assert_equal "$output" "$native"
		[ -n "$stderr" ] || fail "$bad: no warning"
		(($(wc -l <<<"$stderr") <= 4)) || fail "$bad: $stderr"
	done
}

# contract: F07
@test "SCTPEEL_MODE=observe and off peel nothing and change nothing" {
	local mode
	for mode in observe off; do
		rm -f "$BATS_TEST_TMPDIR/trace"
		contract 0 receive r02-joining SCTPEEL_MODE="$mode"
		[ "$(peels "$BATS_TEST_TMPDIR/trace")" -eq 0 ]
	done
}
