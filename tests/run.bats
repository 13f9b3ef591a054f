# guest: no
# A suite that cannot fail proves nothing.

bats_require_minimum_version 1.7.0
bats_load_library bats-support
bats_load_library bats-assert

@test "a failing test fails the suite, is shown with its output and counted" {
	run -1 tests/run tests/selftest/broken.bats
	assert_line --partial 'ok      selftest/broken.bats: passes'
	assert_line --partial 'FAILED  selftest/broken.bats: fails'
	assert_line --partial 'what the test printed'
	assert_line 'skipped selftest/broken.bats: is skipped: nothing to see'
	assert_equal "${lines[-1]}" '1 passed, 1 failed, 1 skipped'
}

@test "a file that breaks off fails the suite" {
	run -1 tests/run tests/selftest/crash.bats
	assert_output --partial 'selftest/crash.bats: broke off'
}

@test "a suite in which nothing ran has failed" {
	run -1 tests/run -f 'no test has this name' tests/selftest/broken.bats
	assert_equal "${lines[-1]}" '0 passed, 0 failed'
}

@test "a test file that is not there is an error" {
	run -66 tests/run tests/selftest/nothing.bats
}

# Without what this bats tells its children: those of a guest have none of its functions.
apart() {
	env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$HOME" BUILD="$BUILD" LOST="$BATS_TEST_TMPDIR/lost" LOST_AGAIN="$1" \
		tests/run tests/selftest/lost.bats
}

@test "a file whose guest ends in the middle is run again" {
	run -0 apart once
	assert_line --partial 'BROKE   tests/selftest/lost.bats'
	assert_line 'tests/selftest/lost.bats: a guest ended in the middle of it, and it was run again'
	assert_equal "${lines[-1]}" '2 passed, 0 failed'
}

@test "a file whose guest ends in the middle each time has failed" {
	run -1 apart always
	assert_line --partial 'FAILED  tests/selftest/lost.bats: not run to its end'
	assert_equal "${lines[-1]}" '1 passed, 1 failed'
}
