# shellcheck shell=bash disable=SC2154  # $output is bats'
# Rows F01 to F04: each call that the library makes on its own account fails once, with each error
# that it can return, each time that it is made. All of that is `make faults`; here one of EVERY.
load helper

# contract: F01 F02 F03 F04
@test "any call of ours fails once: the program prints what it prints without us" {
	requires plain addr2line
	mkdir "$BATS_TEST_TMPDIR/run"
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/failing.so" "$TESTS/preloads/failing.c"
	run -0 "$PROGRAMS/fault_matrix" -e "${EVERY:-100}" -s "${SEED:-1}" "$SHIM" \
		"$BATS_TEST_TMPDIR/failing.so" "$TESTS/faults.carried" "$BATS_TEST_TMPDIR/run" \
		"$PROGRAMS/faulted"
	echo "# ${lines[-1]}" >&3
	assert_line --regexp ' 0 failed, [0-9]+ not met'
	[[ ${lines[-1]} =~ ^([0-9]+)\ places,\ ([0-9]+)\ cases ]]
	((BASH_REMATCH[1] > 100 && BASH_REMATCH[2] > 5))
}
