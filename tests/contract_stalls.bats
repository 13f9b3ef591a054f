# Rows S08 and W04 of the transparency contract: peers that take nothing for a while.
load contract

# contract: S08
@test "a stalled association blocks nobody but itself" {
	run_shim -0 SCTPEEL_POLICY=all "$PROGRAMS/contract_stalls" s08-others
	assert_output 'A: EAGAIN
to B: 1000
B has it: 1
to B: 1000
B has it: 1
to C: 1000
C has it: 1
to C: 1000
C has it: 1
to A: -1 EAGAIN
A has all: 1
to A: 1000
A has it: 1'
}

# contract: S08
@test "a blocking send to a stalled association ends with SO_SNDTIMEO" {
	contract 1 stalls s08-timeout
}

# contract: W04
@test "epoll, level, edge, one-shot and nested: writable again when a stalled association is" {
	contract 10 stalls w04-sets
}

# contract: W04
@test "a loop over edges sends all to a peer that takes little at a time" {
	contract 2 stalls w04-loop
}
