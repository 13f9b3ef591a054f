# Rows F05 and F06 of the transparency contract: what peers do while they are peeled off.
load contract

# contract: F05
@test "an association is closed by its peer while it is peeled off" {
	contract 6 moments f05-closes SCTPEEL_INJECT=peel:delay=8ms
}

# contract: F05
@test "an association is aborted by its peer while it is peeled off" {
	contract 6 moments f05-aborts SCTPEEL_INJECT=peel:delay=8ms
}

# contract: F06
@test "peers flood while they are peeled off" {
	contract 4 moments f06-floods SCTPEEL_INJECT=peel:delay=5ms
}

# contract: F06
@test "a peer that has stalled is peeled off" {
	contract 2 moments f06-stalls SCTPEEL_INJECT=peel:delay=5ms SCTPEEL_POLICY='peel if msgs >= 2'
}

# contract: F06
@test "peers restart while others are peeled off, and before they are themselves" {
	contract 8 notify n04-restart SCTPEEL_INJECT=peel:delay=5ms
	rm -f "$BATS_TEST_TMPDIR/trace"
	contract 4 notify n04-restart SCTPEEL_INJECT=peel:delay=5ms SCTPEEL_POLICY='peel if msgs >= 3'
}
