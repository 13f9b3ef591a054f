# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# The live page, the statistics and the probes of a real server.
# seconds a test: 20

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/live"
	export SCTPEEL_LIVE=$BATS_TEST_TMPDIR/live
}

# server PORT [VAR=VALUE...]
server() {
	local port=$1
	shift
	spawn server shim "$@" "$PROGRAMS/echo_plain" "$port"
	wait_for_listen "$port"
}

@test "top shows what is peeled, what is kept and what ends" {
	server 5000 'SCTPEEL_POLICY=small: keep if msgs < 150; bulk: peel'
	run -0 "$PROGRAMS/peer" -n 3 -m 100 -H 1 -x 'sctpeel top -b -n 1 -i 10ms -s state >&2' 127.0.0.1 5000
	assert_line --regexp '^1 process, 3 associations, 1 peeled, .* enforce '
	assert_line --regexp " 127\.0\.0\.1:[0-9]+ +peeled .* 195K +1000 .* peel bulk\$"
	assert_equal "$(grep -cE ' shared .* 19\.5K +100 .* keep small$' <<<"$output")" 2
	# the ends of the others nobody asked to be told of
	run -0 sctpeel top -b -n 1 -i 10ms -f peeled "$(pid_of server)"
	assert_equal "${#lines[@]}" 2
	stop server
}

@test "an association that the program peels off itself leaves the page, and is told as moved" {
	spawn server shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$BATS_TEST_TMPDIR/trace" "$PROGRAMS/echo_peeled" 5001
	wait_for_listen 5001
	run -0 "$PROGRAMS/peer" -n 2 -m 20 -x 'sctpeel top -b -n 1 -i 10ms >&2' 127.0.0.1 5001
	assert_line --partial '1 process, 0 associations, 0 peeled'
	stop server
	assert_equal "$(jq -r 'select(.event == "assoc").state' "$BATS_TEST_TMPDIR/trace" | sort | uniq -c | tr -s ' ')" \
		$' 2 moved\n 2 up'
}

@test "the statistics of a server: its messages, verdicts and peels" {
	stats=$BATS_TEST_TMPDIR/x.prom
	value() {
		sed -nE "s/^sctpeel_$1\{program=\"echo_plain\"(,$2)?\} //p" "$stats"
	}
	server 5002 'SCTPEEL_POLICY=small: keep if msgs < 150; bulk: peel' "SCTPEEL_STATS=$stats" \
		SCTPEEL_STATS_INTERVAL=100ms
	run -0 "$PROGRAMS/peer" -n 3 -m 100 -H 1 127.0.0.1 5002
	# it writes from its own calls, so one more is needed when it is time
	one_more() {
		"$PROGRAMS/peer" -n 1 -m 1 127.0.0.1 5002 >/dev/null && (($(value received_messages_total) > 1200))
	}
	wait_until one_more
	stop server
	local keeps
	keeps=$(value decisions_total 'rule="small",verdict="keep"')
	assert_equal $((keeps - 3)) $(($(value received_messages_total) - 1200))
	assert_equal "$(value decisions_total 'rule="bulk",verdict="peel"')" 1
	assert_equal "$(value peels_total 'result="done"')" 1
	assert_equal "$(value associations 'place="peeled"')" 0
}

@test "the probes tell of a decision, a peel, a routed send and an end" {
	requires perf
	local tracing=/sys/kernel/tracing
	[ -e $tracing/events ] || mount -t tracefs none $tracing 2>/dev/null || true
	[ -e $tracing/uprobe_events ] || skip "needs uprobes: this kernel ($(uname -r)) has none, or hides them"
	export HOME=$BATS_TEST_TMPDIR # where perf keeps what it knows of probes
	perf buildid-cache --add "$SHIM"
	perf probe -q 'sdt_sctpeel:*'
	spawn server perf stat -x , -o "$BATS_TEST_TMPDIR/counts" -e 'sdt_sctpeel:*' \
		env LD_PRELOAD="$PRELOAD" SCTPEEL_POLICY=all "$PROGRAMS/echo_plain" 5004
	wait_for_listen 5004
	run -0 "$PROGRAMS/peer" -n 1 -m 20 127.0.0.1 5004
	# perf ends with what it has started
	kill "$(pgrep -P "$(pid_of server)")"
	finish server || true
	local probe
	for probe in decision peel route assoc_down; do
		grep -qE "^[1-9][0-9]*,,sdt_sctpeel:$probe" "$BATS_TEST_TMPDIR/counts" || fail "no $probe: $(<"$BATS_TEST_TMPDIR/counts")"
	done
	perf probe -q -d 'sdt_sctpeel:*'
}
