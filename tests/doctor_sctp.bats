# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# sctpeel doctor on a kernel that really has SCTP.

load helper

@test "the kernel's SCTP, its options, faults and sysctls; a server that can be helped" {
	run -0 sctpeel doctor "$PROGRAMS/echo_plain"
	assert_line --regexp "^  ok    this kernel, $(uname -r) \(.*\), has SCTP (as a module|built in)$"
	assert_line '  ok    it can peel off: SCTP_SOCKOPT_PEELOFF (102) and SCTP_SOCKOPT_PEELOFF_FLAGS (122)'
	assert_line "  ok    net.sctp.rcvbuf_policy=0: associations of a socket share its receive buffer; each peeled one gets its own"
	assert_line --regexp '^  ok    net.sctp.sctp_mem: [1-9][0-9]* MiB at most for all SCTP buffers$'
	assert_line '  ok    it uses SCTP, through libsctp'
	refute_line --partial '  fail  '
}

@test "what the sysctls say now, not by default" {
	requires netns
	run -0 unshare -n sh -c 'echo 1 >/proc/sys/net/sctp/rcvbuf_policy && exec sctpeel doctor'
	assert_line '  ok    net.sctp.rcvbuf_policy=1: each association has its own receive buffer; they still wait in one queue'
	assert_line --partial 'net.sctp.sndbuf_policy=0: '
}

@test "under the shim itself it says the same" {
	run -0 sctpeel doctor
	local plainly=$output
	run_shim -0 sctpeel doctor
	assert_equal "$output" "$plainly"
}
