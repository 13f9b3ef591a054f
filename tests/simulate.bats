# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# sctpeel simulate: the verdicts of the shim, without the shim.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
	FIELDS='[."sctp.assoc.id", .verdict, ."rule.index", .rule, .reason, .input.bytes, .input.msgs,
		.input.age_ns, .input.assocs, .input.peeled, .input.now_ns]'
}

# record POLICY [VAR=VALUE...]: floods a server under that policy, for a moment.
record() {
	local policy=$1
	shift
	spawn server shim "$@" SCTPEEL_POLICY="$policy" SCTPEEL_TRACE="$PWD/trace" \
		SCTPEEL_TRACE_EVENTS=all "$PROGRAMS/echo_plain" -w 50000 5060
	wait_for_listen 5060 server
	# it ends before its peers: the kernel refuses to peel off what has ended, which no policy knows
	"$PROGRAMS/flood" -F 2 -n 8 -b 100 -t 900 -k "$(pid_of server)" 127.0.0.1 5060
	finish server || [ $? -ne 124 ]
	whole_lines trace
}

# What is killed in the middle of a write may leave a part of its last line.
whole_lines() {
	[ -z "$(tail -c 1 "$1")" ] || sed -i '$d' "$1"
}

# The shim's own decisions and those of simulate are the same, to the last figure.
same_verdicts() {
	jq -c "select(.event == \"decision\") | $FIELDS" trace >shim
	sctpeel simulate -d -p "$1" trace | jq -c "$FIELDS" >simulated
	[ -s shim ]
	diff -u shim simulated
}

@test "the same trace and policy give exactly the shim's verdicts: counters" {
	requires jq
	local policy='m: peel if msgs >= 40 and assocs > 3; keep if bytes < 100; peel if peeled > 1 idle > 1ms'
	record "$policy"
	same_verdicts "$policy"
	grep -q '"verdict":"peel"' trace
	run -0 sctpeel simulate -p "$policy" trace
	assert_output --regexp 'was in force in the recorded run: ([0-9]+) of \1 decisions come out the same'
	# the program's end was a signal: what the report says of the same run
	run -0 sctpeel report --json trace
	assert_equal "$(jq '[.summary.peels > 0, .summary.missing, .wait_before.count > 0, .associations[0].others_before.count > 0]' -c <<<"$output")" \
		'[true,0,true,true]'
}

@test "the same trace and policy give exactly the shim's verdicts: windows, shares and times" {
	requires jq
	local policy='keep if rate(100ms) > 1G/s; big: peel if rate(200ms) > 100K/s for 50ms; sh: peel if share(300ms) > 30% and msgrate(50ms) > 20/s for 20ms; keep if age < 100ms'
	record "$policy"
	same_verdicts "$policy"
	grep -q '"verdict":"peel"' trace
	[ "$(jq -s 'map(select(.event == "decision" and .verdict == "keep")) | length' trace)" -gt 8 ]
}
