# shellcheck shell=bash disable=SC2154  # $stderr is bats'
# guest: no
# What reads what others write, fed with anything: the fuzzers' seeds and what is near them.
# make fuzz looks further.
load helper

@test "control messages, names and notifications" {
	run -0 --separate-stderr "$BUILD/fuzz/ancillary_fuzz" -n 2000 "$TESTS"/fuzz/ancillary/*
	[[ $stderr = *'each also with 2000 changes' ]]
}

@test "what processes that share a socket write to each other" {
	run -0 --separate-stderr "$BUILD/fuzz/siblings_fuzz" -n 200 "$TESTS"/fuzz/siblings/*
	[[ $stderr = *'each also with 200 changes' ]]
}

@test "what the image before this one hands over" {
	run -0 --separate-stderr "$BUILD/fuzz/handed_fuzz" -n 200 "$TESTS"/fuzz/handed/*
	[[ $stderr = *'each also with 200 changes' ]]
}

@test "policies, settings, traces, live pages, executables" {
	local name
	for name in policy settings trace live elf; do
		run -0 --separate-stderr "$BUILD/fuzz/${name}_fuzz" -n 100 "$TESTS/fuzz/$name"/*
		[[ $stderr = *'each also with 100 changes' ]] || fail "$name: $stderr"
	done
}
