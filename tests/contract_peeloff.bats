# Rows X01 to X04 of the transparency contract: associations that the program takes itself.
load contract

# contract: X01
@test "an association that the shim had peeled is taken, by each way, with all flags" {
	contract 20 peeloff x01-ways
}

# contract: X01
@test "one that has not spoken is taken" {
	contract 0 peeloff x01-new
}

# contract: X01
@test "the rest of a half-read message goes along" {
	contract 2 peeloff x01-half-read
}

# contract: X01
@test "the lowest free number, as always" {
	contract 3 peeloff x01-numbers
}

# contract: X01
@test "what was taken ends in the kernel's own way" {
	contract 16 peeloff x01-ends
}

# contract: X01
@test "what was taken has the program's subscriptions, not the shim's" {
	contract 3 peeloff x01-subscriptions
}

# contract: X01
@test "what was taken lives on in sets, dups, after the server" {
	contract 2 peeloff x01-life
}

# contract: X03
@test "each error by each way" {
	contract 3 peeloff x03-errors
}

# contract: X03
@test "wrong lengths and places leave the association alone" {
	contract 2 peeloff x03-arguments
}

# contract: X03
@test "nowhere to write, no number left" {
	contract 4 peeloff x03-no-room
}

# contract: X03
@test "one that is about to end is taken" {
	contract 2 peeloff x03-ending
}

# contract: X04
@test "taken or refused, the program sees no difference" {
	contract 2 peeloff x04-calls
}

# contract: X02
@test "sctp_peeloff_flags is there, with its flags" {
	run -0 "$PROGRAMS/contract_peeloff" x02-exported
	assert_line 'sctp_peeloff_flags: absent'
	run_shim -0 SCTPEEL_POLICY=all "$PROGRAMS/contract_peeloff" x02-exported
	assert_line 'sctp_peeloff_flags: there'
	assert_line --regexp '^own: number [0-9]+, flags 0, status 0x2, peer 0 A, type 5, accepts 0$'
	assert_line --regexp '^own: number [0-9]+, flags 0x1, status 0x2, peer 0 B, type 5, accepts 0$'
	assert_line --regexp '^own: number [0-9]+, flags 0x1, status 0x802, peer 0 C, type 5, accepts 0$'
	assert_line 'unknown: -1 EINVAL'
}

# contract: X04
@test "each peel of the program is an event, the refused ones too" {
	trace=$BATS_TEST_TMPDIR/trace
	run_shim -0 SCTPEEL_POLICY=all SCTPEEL_TRACE="$trace" "$PROGRAMS/contract_peeloff" x04-calls
	assert_equal "$(events "$trace" '"event":"peel"' '"by":"program"')" 4
	assert_equal "$(events "$trace" '"event":"peel"' '"by":"program"' '"errno":0')" 2
	assert_equal "$(events "$trace" '"event":"peel"' '"by":"program"' '"errno":22')" 2
	run jq -se 'map(select(.event == "peel" and .by == "program" and .effect.errno == 0)) |
		length == 2 and all(.[]; .effect.fd >= 3 and ."sctp.assoc.id" > 0)' "$trace"
	assert_success
}
