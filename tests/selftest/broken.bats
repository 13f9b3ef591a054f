# guest: no
# Not part of the suite: run.bats runs it to see that the suite tells the truth.

@test "passes" {
	true
}

@test "fails" {
	echo "what the test printed"
	false
}

@test "is skipped" {
	skip "nothing to see"
}
