# shellcheck shell=bash disable=SC2154  # $output is bats'
# More than anybody reckoned with: crowds, few descriptors, peers that make the rules change their
# mind. What a full disk and a dead log receiver do is in events.bats and contract_faults.bats.
# seconds a test: 30
load oracle

setup() {
	requires jq
}

# serve PORT VAR=VALUE... CMD...: the server, with its trace.
serve() {
	local port=$1
	shift
	spawn server shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$(trace_of server)" "$@"
	wait_for_listen "$port"
}

# How many lines of the server's trace the filter selects.
traced() {
	jq -n "[inputs | select($1)] | length" "$(trace_of server)"
}

resident() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of server)/status"
}

# contract: W03 N03
@test "hundreds of associations end at once: an edge-triggered server hears who comes next" {
	local before
	serve 5401 "$PROGRAMS/echo_waiting" edge 5401
	"$PROGRAMS/crowd" -n 1 5401
	wait_until no_association 5401
	before=$(descriptors "$(pid_of server)")
	"$PROGRAMS/crowd" -n 400 -a 5401
	wait_until no_association 5401
	wait_until descriptors_are "$(pid_of server)" "$before"
	"$PROGRAMS/crowd" -n 1 -t 20 5401
	assert_equal "$(traced '.event == "peel" and .effect.errno == 0')" 402
	stop server
}

# contract: N03
@test "a thousand associations come and go: descriptors and memory stay" {
	local count=${CROWD:-1000} before memory
	ulimit -n "$(ulimit -Hn)"
	serve 5402 "$PROGRAMS/echo_waiting" epoll 5402
	"$PROGRAMS/crowd" -n "$count" 5402
	wait_until no_association 5402
	before=$(descriptors "$(pid_of server)") memory=$(resident)
	"$PROGRAMS/crowd" -n "$count" 5402
	wait_until no_association 5402
	wait_until descriptors_are "$(pid_of server)" "$before"
	# what is kept for each would be more: 500 bytes for each make half a megabyte
	[ $(($(resident) - memory)) -lt 200 ]
	assert_equal "$(traced '.event == "peel" and .effect.errno == 0')" $((2 * count))
	stop server
}

# contract: F01 D07
@test "limits of 64, 1024 and a million descriptors: what fits is peeled, the rest is held" {
	local limit crowd peels
	ulimit -n 1048576
	for limit in 64:20 100:120 1024:1030 1048576:300; do
		crowd=${limit#*:} limit=${limit%:*}
		rm -f "$(trace_of server)"
		# shellcheck disable=SC2016  # for the bash in there
		serve 5403 bash -c 'ulimit -n $0; exec "$@"' "$limit" "$PROGRAMS/echo_waiting" edge 5403
		"$PROGRAMS/crowd" -n "$crowd" -a 5403 || fail "limit $limit"
		peels=$(traced '.event == "peel" and .effect.errno == 0')
		case $limit in
		64) assert_equal "$peels" 0 ;;
		1048576) assert_equal "$peels" "$crowd" ;;
		*) [ "$peels" -ge $((limit - 64 - 20)) ] && [ "$peels" -le $((limit - 64)) ] || fail "$limit: $peels" ;;
		esac
		[ "$peels" -eq "$crowd" ] ||
			[ "$(traced '.verdict == "hold" and (.reason | contains("descriptor budget"))')" -gt 0 ]
		silent server
		wait_until no_association 5403
		stop server
	done
}

# What is peeled stays where it is, what comes is held, and the program has its numbers.
# contract: F01 D07
@test "the descriptor limit falls below what is peeled" {
	local peels server
	serve 5404 bash -c 'ulimit -n 400; exec "$@"' bash "$PROGRAMS/echo_waiting" epoll 5404
	server=$(pid_of server)
	"$PROGRAMS/peer" -n 40 -m 4 -t 20 -x "prlimit --pid $server --nofile=64:400" 127.0.0.1 5404
	wait_until no_association 5404
	peels=$(traced '.event == "peel" and .effect.errno == 0')
	assert_equal "$peels" 40
	"$PROGRAMS/peer" -n 20 -m 4 -t 20 127.0.0.1 5404
	assert_equal "$(traced '.event == "peel" and .effect.errno == 0')" "$peels"
	[ "$(traced '.verdict == "hold" and (.reason | contains("descriptor budget"))')" -gt 0 ]
	prlimit --pid "$server" --nofile=400:
	"$PROGRAMS/peer" -n 20 -m 4 -t 20 127.0.0.1 5404
	assert_equal "$(traced '.event == "peel" and .effect.errno == 0')" $((peels + 20))
	silent server
	stop server
}

# The streams take turns, so that each message meets another rule.
@test "a peer that makes the rules change their mind does not fill the trace" {
	local told began=$SECONDS
	spawn server shim SCTPEEL_POLICY='odd: keep if stream 1; even: keep if stream 0; peel if msgs >= 100000' \
		SCTPEEL_TRACE="$(trace_of server)" "$PROGRAMS/echo_waiting" edge 5405
	wait_for_listen 5405
	"$PROGRAMS/peer" -n 1 -m 2000 -k 2 127.0.0.1 5405
	told=$(traced '.event == "decision"')
	[ "$told" -ge 2 ]
	[ "$told" -le $((8 + 4 * (SECONDS - began + 1))) ] || fail "$told decisions in $((SECONDS - began)) s"
	stop server
}
