# Kamailio with an SCTP listener, unmodified: four forked workers share one socket and what is peeled off from it.
# seconds a test: 130
load oracle

setup() {
	requires kamailio /usr/bin/python3
	cat >"$BATS_TEST_TMPDIR/kamailio.cfg" <<'EOF'
debug=1
children=1
enable_sctp=yes
sctp_children=4
disable_tcp=yes
listen=sctp:127.0.0.1:5061
loadmodule "sctp.so"
loadmodule "tm.so"
loadmodule "sl.so"
request_route {
	sl_send_reply("200", "OK");
	exit;
}
EOF
}

kamailio_answers() {
	local name=kamailio-$1 pid before during=$BATS_TEST_TMPDIR/assocs
	start "$1" "$name" 5061 kamailio -DD -E -m 64 -M 8 -Y "$BATS_TEST_TMPDIR" \
		-f "$BATS_TEST_TMPDIR/kamailio.cfg" || return
	pid=$(pid_of "$name")
	wait_until workers_are_there "$pid" &&
		/usr/bin/python3 -IS "$TESTS/programs/sip_peers.py" 5061 40 true || return
	wait_until no_association 5061 || return
	before=$(all_descriptors "$pid")
	/usr/bin/python3 -IS "$TESTS/programs/sip_peers.py" 5061 "$(messages "$1")" \
		"cat /proc/net/sctp/assocs >$during" &&
		wait_until no_association 5061 &&
		wait_until all_descriptors_are "$pid" "$before" &&
		peels_are "$1" "$name" 5061 20 || return
	stop "$name"
	# shellcheck disable=SC2154  # stop sets it
	assert_equal "$stopped" 0 || return
	run grep -E 'ERROR|CRITICAL|WARNING|BUG' "$(err_of "$name")"
	assert_equal "$output" ''
}

workers_are_there() {
	[ "$(pgrep -c -P "$1")" -ge 7 ]
}

@test "Kamailio's four workers answer twenty peers, one heavy" {
	in_the_field kamailio_answers
}
