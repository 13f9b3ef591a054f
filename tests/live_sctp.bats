# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# The live page, the statistics and the probes of a real server.

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
