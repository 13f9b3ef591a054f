# shellcheck shell=bash disable=SC2154,SC2016  # $output, $stderr and $lines are bats'
# sctpeel run: what the program gets and what it gives back. Refusals are in refuse.bats.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
}

# The sanitizers' runtime must stay in front of everything. From spawn it becomes the program.
launch() {
	local preload=()
	[ -z "${SANITIZER_PRELOAD-}" ] || preload=(env "LD_PRELOAD=$PRELOAD")
	if [ "${in_spawn-}" = yes ]; then
		exec "${preload[@]}" sctpeel run "$@"
	fi
	"${preload[@]}" sctpeel run "$@"
}

@test "the library is loaded into the program, and into a script's interpreter" {
	run -0 launch grep -c -m 1 libsctpeel.so /proc/self/maps
	assert_output 1
	printf '#!/bin/sh\nread -r line <&3\nexec grep -c -m 1 libsctpeel.so /proc/$$/maps\n' >script
	chmod +x script
	run -0 launch ./script 3</dev/null
	assert_output 1
}

@test "arguments arrive as they are, options after the program are its own" {
	run -0 launch printf '<%s>' -p '' 'a b' --help $'\n' -- --
	assert_output $'<-p><><a b><--help><\n><--><-->'
	run -0 launch -- printf %s -m
	assert_output -- -m
	run -0 launch sh -c 'printf %s "$0"' nought
	assert_output nought
}

@test "argv[0] is what the user typed" {
	ln -s "$(command -v bash)" mybash
	run -0 launch ./mybash -c 'echo "$0"'
	assert_output ./mybash
	PATH=$PWD:$PATH run -0 launch mybash -c 'tr "\0" "\n" </proc/$$/cmdline | head -n 1'
	assert_output mybash
}

@test "the exit status and the signal are the program's own" {
	local status
	for status in 0 1 42 126 127 255; do
		run "-$status" launch sh -c "exit $status"
		assert_output ''
	done
	run -143 launch sh -c 'kill -TERM $$'
	run -137 launch sh -c 'kill -KILL $$'
}

@test "it is the same process" {
	spawn it launch sh -c 'echo $$; exec sleep 30'
	wait_for_line it "$(pid_of it)"
	stop it
	assert_equal "$stopped" 143
}

@test "standard streams, descriptors and the working directory are untouched" {
	run -0 --separate-stderr launch sh -c 'read -r a; echo "got $a"; echo "to stderr" >&2; pwd' <<<input
	assert_output $'got input\n'"$PWD"
	assert_equal "$stderr" 'to stderr'
	native=$(sh -c 'ls -l /proc/self/fd | wc -l' 3>&-)
	run -0 launch sh -c 'ls -l /proc/self/fd | wc -l' 3>&-
	assert_output "$native"
}

@test "flags set the variables and beat the environment, others pass through" {
	SCTPEEL_POLICY=all SCTPEEL_MODE=off SCTPEEL_TRACE=/nowhere SCTPEEL_MAX=7 OTHER=x run -0 \
		launch -p none -m observe -t "$PWD/trace" sh -c 'echo $SCTPEEL_POLICY $SCTPEEL_MODE $SCTPEEL_TRACE $SCTPEEL_MAX $OTHER'
	assert_output "none observe $PWD/trace 7 x"
	[ -s trace ]
	SCTPEEL_POLICY=all SCTPEEL_MODE=observe run -0 launch sh -c 'echo $SCTPEEL_POLICY $SCTPEEL_MODE ${SCTPEEL_TRACE-unset}'
	assert_output 'all observe unset'
	run -0 launch --policy=keep --mode OBSERVE --trace=stderr sh -c 'echo $SCTPEEL_POLICY $SCTPEEL_MODE $SCTPEEL_TRACE' 2>/dev/null
	assert_line 'keep OBSERVE stderr'
	run -0 launch env
	refute_output --partial SCTPEEL_
}

@test "an LD_PRELOAD that is there stays, behind the library" {
	requires plain
	run -0 sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$(readlink -f "$SHIM")"
	local other
	other=$(ldconfig -p | sed -n 's/.*=> //p' | grep -m 1 'libm\.so')
	LD_PRELOAD=$other run -0 sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$(readlink -f "$SHIM"):$other"
	# in the list already, by this path or another: nothing changes
	LD_PRELOAD="$other $SHIM" run -0 sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$other $SHIM"
	ln -s "$SHIM" link.so
	LD_PRELOAD=$PWD/link.so run -0 sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$PWD/link.so"
	run -0 sctpeel run sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$(readlink -f "$SHIM")"
}

@test "installed, it finds its library by its own place" {
	requires plain
	mkdir -p usr/bin usr/lib
	cp "$BUILD/sctpeel" usr/bin/
	cp "$BUILD/libsctpeel.so" usr/lib/
	run -0 usr/bin/sctpeel run sh -c 'echo $LD_PRELOAD'
	assert_output "$(readlink -f usr/lib/libsctpeel.so)"
	mkdir -p usr/lib/x86_64-linux-gnu
	mv usr/lib/libsctpeel.so usr/lib/x86_64-linux-gnu/
	if [ "$(uname -m)" = x86_64 ]; then
		run -0 usr/bin/sctpeel run sh -c 'echo $LD_PRELOAD'
		assert_output --partial /usr/lib/x86_64-linux-gnu/libsctpeel.so
	fi
}

@test "a server under run peels what the policy says" {
	requires jq
	spawn server launch -p 'keep if msgs < 3; late: peel' -t trace.jsonl "$PROGRAMS/echo_plain" 5000
	wait_for_listen 5000
	"$PROGRAMS/peer" -n 3 -m 10 127.0.0.1 5000
	stop server
	run -0 jq -r 'select(.event == "peel") | "\(.rule) \(.effect.errno)"' trace.jsonl
	assert_output $'late 0\nlate 0\nlate 0'
}
