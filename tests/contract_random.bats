# The transparency contract as a whole: programs that do anything, in any order.
# seconds a test: 60
load contract

# contract: R02 R05 R06 N01 N02 S01 S03 X01 D01 W01
@test "anything in any order: each association sees and is told the same" {
	local seed
	for seed in 3 14 159 265 358 402 412 496 574 812; do
		both "random-$seed" SCTPEEL_TRACE="$BATS_TEST_TMPDIR/trace" \
			"$PROGRAMS/contract_random" "$seed" 120
		[[ $(<"$BATS_TEST_TMPDIR/random-$seed.native.err") = *'exit status 0' ]]
	done
	peeled 30 "$BATS_TEST_TMPDIR/trace"
}
