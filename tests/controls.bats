# shellcheck shell=bash disable=SC2154  # $output is bats'
# Programs with one-to-one sockets, unmodified, under the shim that would peel everything: it leaves
# them alone.
# seconds a test: 20
load oracle

# untouched NAME...: they have seen nothing but their start and end.
untouched() {
	local name
	for name; do
		assert_equal "$name: $(jq -r 'select(.event != "start" and .event != "stop") | .event' \
			"$(trace_of "$name")"* | sort -u)" "$name: " || return
	done
}

setup() {
	requires jq
}

@test "iperf3 --sctp" {
	requires iperf3
	under all server iperf3 -s -1 -p 5301 --forceflush
	wait_for_line server listening
	under all client iperf3 --sctp -c 127.0.0.1 -p 5301 -n 2M --json
	finish client
	finish server
	assert_equal "$(jq -c '[.error, .end.sum_sent.bytes >= 2097152, .end.sum_received.bytes > 0]' \
		"$(out_of client)")" '[null,true,true]'
	untouched client server
}

@test "socat copies a file over SCTP" {
	requires socat
	seq 20000 >"$BATS_TEST_TMPDIR/file"
	start all server 5302 socat -u SCTP-LISTEN:5302,bind=127.0.0.1 CREATE:"$BATS_TEST_TMPDIR/copy"
	under all client socat -u OPEN:"$BATS_TEST_TMPDIR/file" SCTP:127.0.0.1:5302
	finish client
	finish server
	cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/copy"
	untouched client server
}

@test "netperfmeter" {
	requires netperfmeter
	start all server 5303 netperfmeter 5303
	under all client netperfmeter 127.0.0.1:5303 -sctp const10:const200:const10:const200 -runtime=2
	finish client 60
	stop server INT
	run grep -iE 'error:|failed' "$(out_of client)" "$(err_of client)" "$(err_of server)"
	assert_output ''
	run grep -A 3 'Reception:' "$(out_of client)"
	assert_output --regexp 'Bytes: *[1-9]'
	untouched client server
}

# Its system calls do not pass through libc.
@test "a Go program" {
	[ -e "$PROGRAMS/go_peer" ] || skip 'needs go when it is built'
	start all server 5304 "$PROGRAMS/echo_plain" 5304
	run_shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$(trace_of client)" "$PROGRAMS/go_peer" 5304 200
	assert_success
	assert_output '200 right'
	[ ! -e "$(trace_of client)" ]
	stop server
}
