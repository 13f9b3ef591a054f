# shellcheck shell=bash disable=SC2154  # $output is bats'
# Rows F01 to F04 of the transparency contract under load: what the shim needs is not to be had, for
# a while or for good. Several peers judge a server; nothing may be lost, doubled or out of order.
load oracle

setup() {
	requires jq
}

# serve NAME PORT VAR=VALUE... CMD...: the server under the shim, judged while it lives.
serve() {
	local name=$1 port=$2
	shift 2
	spawn "$name" shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$(trace_of "$name")" "$@"
	wait_for_listen "$port"
}

# peers PORT [OPTION...]: four of them, one heavy, on three streams.
peers() {
	local port=$1
	shift
	"$PROGRAMS/peer" -n 4 -m 20 -H 1 -f 5 -k 3 -s 100-3000 -t 5 "$@" 127.0.0.1 "$port" &&
		wait_until no_association "$port"
}

# How many lines of a server's trace the filter selects.
traced() {
	jq -n "[inputs | select($2)] | length" "$(trace_of "$1")"
}

# server_with_fault FAULT PORT WAY: a server that waits that way, under load twice.
server_with_fault() {
	local fault=$1 port=$2 way=$3
	rm -f "$(trace_of server)"
	if [ "$way" = block ]; then
		serve server "$port" "SCTPEEL_INJECT=$fault" "$PROGRAMS/echo_plain" "$port"
	else
		serve server "$port" "SCTPEEL_INJECT=$fault" "$PROGRAMS/echo_waiting" "$way" "$port"
	fi
	peers "$port" && peers "$port"
}

# contract: F01
@test "every third peel fails" {
	local way
	for way in block edge; do
		server_with_fault peel:EMFILE:every=3 5201 "$way" || fail "$way"
		[ "$(traced server '.event == "peel" and .effect.errno == 24')" -gt 0 ]
		[ "$(traced server '.event == "peel" and .effect.errno == 0')" -gt 0 ]
		silent server
		stop server
	done
}

# contract: F01
@test "peels fail, and when they can be had again they are" {
	server_with_fault peel:ENFILE:times=3 5202 epoll
	assert_equal "$(traced server '.event == "peel" and .effect.errno == 23')" 3
	[ "$(traced server '.event == "peel" and .effect.errno == 0')" -ge 4 ]
	jq -n '[inputs | select(.event == "peel").effect.errno] | .[:3], .[-1]' -c \
		"$(trace_of server)" >"$BATS_TEST_TMPDIR/errors"
	assert_equal "$(<"$BATS_TEST_TMPDIR/errors")" $'[23,23,23]\n0'
	stop server
}

# A server with so few descriptors that none can be had for a peel, then more, then few again.
# contract: F01 D07
@test "RLIMIT_NOFILE is tiny: held with the reason; peeled when it is raised" {
	# shellcheck disable=SC2016  # for the bash in there
	serve server 5203 SCTPEEL_FD_RESERVE=4 bash -c 'ulimit -Sn 8; exec "$0" "$@"' \
		"$PROGRAMS/echo_waiting" epoll 5203
	peers 5203
	assert_equal "$(traced server '.event == "peel" and .effect.errno == 0')" 0
	[ "$(traced server '.event == "decision" and .verdict == "hold"')" -gt 0 ]
	prlimit --pid "$(pid_of server)" --nofile=100:
	peers 5203
	[ "$(traced server '.event == "peel" and .effect.errno == 0')" -ge 4 ]
	prlimit --pid "$(pid_of server)" --nofile=8:
	peers 5203
	silent server
	stop server
}

# contract: F02
@test "no hub can be had: nothing is peeled, an event says why" {
	local way
	for way in block epoll; do
		server_with_fault epoll:ENOMEM 5204 "$way" || fail "$way"
		assert_equal "$(traced server '.event == "peel" and .effect.errno == 0')" 0
		[ "$(traced server '(.event == "peel" and .effect.errno == 12) or
			(.event == "decision" and .verdict == "hold")')" -gt 0 ]
		silent server
		stop server
	done
}

# The hub's calls fail in turns: its making, joins, looks, the program's own set.
# contract: F02
@test "every second or third epoll call of the shim fails" {
	local way every
	for way in block.2 poll.2 late.2 select.3 epoll.3 edge.3; do
		every=${way#*.}
		server_with_fault "epoll:ENOMEM:every=$every" 5205 "${way%.*}" || fail "$way"
		silent server
		stop server
	done
}

# contract: F02
@test "epoll calls fail from the fifth on, and for five calls" {
	local way
	for way in block poll; do
		server_with_fault epoll:ENOMEM:after=4 5206 "$way" || fail "$way"
		[ "$(traced server '.event == "peel" and .effect.errno == 0')" -gt 0 ]
		stop server
		server_with_fault epoll:ENOSPC:after=1:times=5 5206 "$way" || fail "$way for a while"
		[ "$(traced server '.event == "peel" and .effect.errno == 28')" -gt 0 ]
		[ "$(traced server '.event == "peel" and .effect.errno == 0')" -gt 0 ]
		stop server
	done
	# a set that cannot be made to watch what will be peeled: nothing is, as long as the socket lives
	server_with_fault epoll:ENOSPC:after=1:times=1 5206 epoll
	assert_equal "$(traced server '.event == "peel"')" 0
	[ "$(traced server '.verdict == "hold" and (.reason | contains("cannot watch the hub"))')" -gt 0 ]
	stop server
}

# contract: F03
@test "the trace is full for a while: traffic is complete, peels happen, the loss is counted" {
	server_with_fault trace:ENOSPC:after=3:times=9 5207 edge
	[ "$(traced server '.event == "peel" and .effect.errno == 0')" -ge 4 ]
	[ "$(traced server '.event == "drop"')" -gt 0 ]
	silent server
	stop server
	server_with_fault trace:ENOSPC 5207 epoll
	[ ! -s "$(trace_of server)" ]
	silent server
	stop server
}

# contract: F04
@test "no memory to be had: nothing is lost, and no crash" {
	local fault
	for fault in memory:ENOMEM memory:ENOMEM:after=1 memory:ENOMEM:every=2; do
		server_with_fault "$fault" 5208 block || fail "$fault"
		silent server
		stop server
	done
	server_with_fault memory:ENOMEM:times=1 5208 epoll
	silent server
	stop server
}

# contract: F01 F02 F03 F04
@test "all at once" {
	local way
	for way in block edge late; do
		server_with_fault \
			peel:EBUSY:every=3,epoll:ENOMEM:every=4,trace:ENOSPC:every=5,memory:ENOMEM:every=2,peel:delay=2ms \
			5209 "$way" || fail "$way"
		silent server
		stop server
	done
}
