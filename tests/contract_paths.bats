# shellcheck shell=bash disable=SC2154  # $output is bats'
# Rows S04 and N05 of the transparency contract: peers with two addresses.
load contract

# held: S04 from the first send with SCTP_ADDR_OVER, which a peeled socket ignores; an `error` event tells of what was peeled off before
# contract: S04
@test "SCTP_ADDR_OVER: each message takes the path that it names, and peels are held" {
	contract 0 paths s04-over
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	run events "$BATS_TEST_TMPDIR/trace" '"verdict":"hold"' SCTP_ADDR_OVER
	[ "$output" -gt 0 ]
}

# contract: S04
@test "SCTP_ADDR_OVER to an association that is peeled: it arrives, and an error says by which path" {
	run_shim -0 SCTPEEL_POLICY=all SCTPEEL_TRACE="$BATS_TEST_TMPDIR/trace" \
		"$PROGRAMS/contract_paths" s04-over-late
	refute_line --partial FAILED
	assert_equal "$(grep -c '^A hears: A0000' <<<"$output")" 8
	run events "$BATS_TEST_TMPDIR/trace" '"event":"error"' SCTP_ADDR_OVER
	[ "$output" -gt 0 ]
}

# contract: N05
@test "SCTP_PEER_ADDR_CHANGE: made primary, unreachable, available again" {
	requires ip
	contract 2 paths n05-paths
}

# contract: N05 S01
@test "the path in use fails: what is sent comes by the other" {
	requires ip
	contract 2 paths n05-failover
}
