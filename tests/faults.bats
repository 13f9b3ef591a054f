# shellcheck shell=bash disable=SC2154  # $output is bats'
# Rows F01 to F04, and P02: each call that the library makes on its own account fails once, with each error
# that it can return, each time that it is made. All of that is `make faults`; here one of EVERY.
load helper

setup() {
	requires plain addr2line
	mkdir "$BATS_TEST_TMPDIR/run"
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/failing.so" "$TESTS/preloads/failing.c"
}

# contract: F01 F02 F03 F04
@test "any call of ours fails once: the program prints what it prints without us" {
	run -0 "$PROGRAMS/fault_matrix" -e "${EVERY:-100}" -s "${SEED:-1}" "$SHIM" \
		"$BATS_TEST_TMPDIR/failing.so" "$TESTS/faults.carried" "$BATS_TEST_TMPDIR/run" \
		"$PROGRAMS/faulted"
	echo "# ${lines[-1]}" >&3
	assert_line --regexp ' 0 failed, [0-9]+ not met'
	[[ ${lines[-1]} =~ ^([0-9]+)\ places,\ ([0-9]+)\ cases ]]
	((BASH_REMATCH[1] > 100 && BASH_REMATCH[2] > 5))
}

# Three peels, and two calls from the kernel's answer to where others have the descriptor.
# contract: P02
@test "a process that shares the socket is killed before any call of ours: the others go on" {
	run -0 "$PROGRAMS/fault_matrix" -k -e "${EVERY:-40}" -s "${SEED:-1}" "$SHIM" \
		"$BATS_TEST_TMPDIR/failing.so" "$TESTS/faults.carried" "$BATS_TEST_TMPDIR/run" \
		"$PROGRAMS/outlived"
	echo "# ${lines[-1]}" >&3
	assert_line --regexp ' 0 failed, [0-9]+ not met'
	[[ ${lines[-1]} =~ ^([0-9]+)\ calls,\ ([0-9]+)\ kills.*\ ([0-9]+)\ with ]]
	((BASH_REMATCH[1] > 200 && BASH_REMATCH[2] > 2 && BASH_REMATCH[3] <= 6))
}
