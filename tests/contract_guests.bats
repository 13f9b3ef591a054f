# shellcheck shell=bash disable=SC2154,SC2034  # $output is bats', PRELOAD is helper.bash's
# Rows G02 to G05 of the transparency contract: what else lives in a process with the shim. What has
# no SCTP at all is in contract_bystanders.bats.
load oracle

setup_file() {
	BUILT=$BATS_FILE_TMPDIR
	export BUILT
}

# build NAME OPTION...: compiles a source of tests/preloads or tests/programs for one test.
build() {
	local name=$1
	shift
	"${CC:-cc}" -std=gnu11 -O1 -D_GNU_SOURCE -o "$BUILT/$name" "$@"
}

# --- G02: what else is in the process -------------------------------------------------------------

# contract: G02
@test "libsctp opened at run time, for nobody else, and its sctp_peeloff" {
	build dlopened "$TESTS/preloads/dlopened.c"
	natively_and_peeled dlopened_echoes
}

dlopened_echoes() {
	local name=dlopened-$1 trace
	start "$1" "$name" 5101 "$BUILT/dlopened" 5101 || return
	"$PROGRAMS/peer" -n 4 -m 40 -k 3 -s 100-3000 127.0.0.1 5101 || return
	wait_until no_association 5101 || return
	assert_equal "$(<"$(out_of "$name")")" 'peeled off: yes' && silent "$name" || return
	if [ "$1" = shim ]; then
		trace=$(trace_of "$name")
		assert_equal "$(jq -c 'select(.event == "peel" and .by == "program") | .effect.errno' \
			"$trace")" 0 || return
		[ "$(peeled_in_trace "$trace")" -ge 3 ] || return
	fi
	stop "$name"
}

# contract: G02
@test "libsctp linked statically" {
	build static "$TESTS/programs/echo_plain.c" -Wl,-Bstatic -lsctp -Wl,-Bdynamic
	run ! grep -q libsctp <(ldd "$BUILT/static")
	natively_and_peeled static_echoes
}

static_echoes() {
	start "$1" "static-$1" 5102 "$BUILT/static" 5102 &&
		judge "$1" "static-$1" 5102 4 -m 40 -k 3 -s 100-3000 &&
		silent "static-$1" &&
		stop "static-$1"
}

# Receives and sends that the other preload has counted.
counted() {
	od -An -t u8 -N 16 "$1" | { read -r receives sends && echo "$receives" "$sends"; }
}

# contract: G02
@test "another preload before it sees the program's calls, one behind it sees all" {
	requires plain
	build counting.so -shared -fPIC "$TESTS/preloads/counting.c"
	local PRELOAD COUNTING receives sends more
	export COUNTING=$BATS_TEST_TMPDIR/before
	PRELOAD=$BUILT/counting.so:$SHIM
	start shim before 5103 "$PROGRAMS/echo_plain" 5103
	judge shim before 5103 3 -m 30 -k 3
	stop before
	read -r receives sends <<<"$(counted "$COUNTING")"
	# 360 messages: each is received and sent by one call; the last receive is interrupted
	assert_equal "$receives $sends" '361 360'
	COUNTING=$BATS_TEST_TMPDIR/behind
	PRELOAD=$SHIM:$BUILT/counting.so
	start shim behind 5103 "$PROGRAMS/echo_plain" 5103
	judge shim behind 5103 3 -m 30 -k 3
	stop behind
	read -r more sends <<<"$(counted "$COUNTING")"
	[ "$more" -ge 360 ]
	[ "$sends" -ge 360 ]
	silent before
	silent behind
}

# contract: G02
@test "the library twice, under two names" {
	requires plain
	cp "$SHIM" "$BUILT/another.so"
	local PRELOAD=$SHIM:$BUILT/another.so
	start shim twice 5104 "$PROGRAMS/echo_plain" 5104
	judge shim twice 5104 4 -m 40 -k 3
	silent twice
	stop twice
}

# --- G03: descriptors that are none of ours ------------------------------------------------------

# The calls between the program's marks, but for what differs from run to run.
calls_between_marks() {
	sed -n '/"\/begin"/,/"\/end"/p' "$1" | sed -E 's/^[0-9]+ +//; s/0x[0-9a-f]+/POINTER/g
		s/htons\([0-9]+\)/PORT/g; s/, left \{[^}]*\}//; s/ +=/ =/; /^(brk|mmap|getrandom)\(/d'
}

# Questions about a number or the process: they change nothing.
questions='^(getpid\(\)|gettid\(\)|fcntl\([0-9]+, F_GETFD\)|getsockopt\([0-9]+, SOL_SOCKET, SO_PROTOCOL,)'

# contract: G03
@test "TCP, UDP, AF_UNIX, pipes, files, one-to-one SCTP: the same system calls" {
	requires strace plain
	local kind preload asked
	for kind in native shim; do
		preload=()
		[ $kind = native ] || preload=(-E "LD_PRELOAD=$SHIM" -E SCTPEEL_POLICY=all)
		strace "${preload[@]}" -f -o "$BATS_TEST_TMPDIR/$kind" "$PROGRAMS/contract_guests" traffic \
			>"$BATS_TEST_TMPDIR/$kind.out"
		calls_between_marks "$BATS_TEST_TMPDIR/$kind" >"$BATS_TEST_TMPDIR/$kind.all"
		grep -vE "$questions" "$BATS_TEST_TMPDIR/$kind.all" >"$BATS_TEST_TMPDIR/$kind.calls"
	done
	same "$BATS_TEST_TMPDIR/native.out" "$BATS_TEST_TMPDIR/shim.out"
	same "$BATS_TEST_TMPDIR/native.calls" "$BATS_TEST_TMPDIR/shim.calls"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/native.calls")" -gt 400 ]
	# and these are few: only where numbers are copied over, closed by the range or not known yet
	asked=$(grep -cE "$questions" "$BATS_TEST_TMPDIR/shim.all")
	[ "$asked" -lt 60 ] || fail "$asked questions"
	run grep -cE 'F_GETFD|SO_PROTOCOL' "$BATS_TEST_TMPDIR/shim.all"
	[ "$output" -lt 30 ] || fail "$output questions about numbers"
	[ "$output" -gt 0 ]
}

# contract: G03
@test "what such traffic returns, and that it is nobody's event" {
	requires jq
	local trace=$BATS_TEST_TMPDIR/trace
	both -n traffic SCTPEEL_TRACE="$trace" SCTPEEL_TRACE_EVENTS=all "$PROGRAMS/contract_guests" traffic
	[[ $(<"$(err_of traffic.native)") = 'exit status 0' ]]
	assert_equal "$(jq -r .event "$trace" | sort | uniq -c | tr -s ' ')" $' 1 start\n 1 stop'
}

# contract: G03
@test "one-to-one SCTP under load stays with its kernel sockets" {
	requires jq
	spawn server shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$(trace_of server)" "$PROGRAMS/echo_plain" 5105
	wait_for_listen 5105
	run shim SCTPEEL_POLICY=all SCTPEEL_TRACE="$BATS_TEST_TMPDIR/peers" \
		"$PROGRAMS/peer" -1 -n 4 -m 40 -k 3 127.0.0.1 5105
	assert_success
	assert_equal "$(jq -r .event "$BATS_TEST_TMPDIR/peers" | sort | uniq -c | tr -s ' ')" \
		$' 1 start\n 1 stop'
	assert_equal "$(peeled_in_trace "$(trace_of server)")" 4
	stop server
}

# --- G04: calls that no library sees -------------------------------------------------------------

# contract: G04
@test "a server that makes its system calls by number is served as without the shim" {
	local trace=$BATS_TEST_TMPDIR/trace
	both syscalls SCTPEEL_TRACE="$trace" "$PROGRAMS/contract_guests" syscalls
	[[ $(<"$(err_of syscalls.native)") = 'exit status 0' ]]
	assert_equal "$(peeled_in_trace "$trace")" 0
}

# held: G04 from the first system call by number on the socket; one that no library sees (io_uring) cannot be noticed
# contract: G04
@test "system calls by number among others: held, with the reason, and an error for what it misses" {
	local trace=$BATS_TEST_TMPDIR/trace
	both some SCTPEEL_TRACE="$trace" "$PROGRAMS/contract_guests" some-by-number
	[[ $(<"$(err_of some.native)") = 'exit status 0' ]]
	assert_equal "$(peeled_in_trace "$trace")" 2
	assert_equal "$(jq -c 'select(.verdict == "hold" and (.reason | contains("by number"))) | .event' \
		"$trace")" '"decision"'
	assert_equal "$(grep -c '"event":"error".*syscall:' "$trace")" 1
}

# --- G05: programs with more rights than their user ----------------------------------------------

# As a user who is nobody, with LD_PRELOAD and what follows in the environment.
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups env "LD_PRELOAD=$SHIM" "$@"
}

# contract: G05
@test "setuid programs: the loader does not load it" {
	requires setpriv plain
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_TEST_TMPDIR%/*/*}"
	cp "$(type -P cat)" "$BATS_TEST_TMPDIR/ordinary"
	install -m 4755 "$(type -P cat)" "$BATS_TEST_TMPDIR/setuid"
	install -m 2755 "$(type -P cat)" "$BATS_TEST_TMPDIR/setgid"
	run grep -c "${SHIM##*/}" <(as_nobody "$BATS_TEST_TMPDIR/ordinary" /proc/self/maps)
	[ "$output" -gt 0 ]
	local kind
	for kind in setuid setgid; do
		run as_nobody SCTPEEL_POLICY=nonsense SCTPEEL_TRACE=stderr "$BATS_TEST_TMPDIR/$kind" \
			/proc/self/maps
		assert_success
		refute_output --partial sctpeel
		assert_output --partial libc
	done
}

# contract: G05
@test "setuid programs that are linked with it: no user's settings" {
	requires setpriv plain
	local name
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_TEST_TMPDIR%/*/*}"
	mkdir -m 777 "$BATS_TEST_TMPDIR/traces"
	BUILT=$BATS_TEST_TMPDIR build linked "$TESTS/programs/contract_guests.c" -lsctp -lpthread \
		-Wl,--no-as-needed "$SHIM" "-Wl,-rpath,${SHIM%/*}"
	install -m 4755 "$BATS_TEST_TMPDIR/linked" "$BATS_TEST_TMPDIR/setuid"
	for name in linked setuid; do
		run as_nobody LD_PRELOAD= SCTPEEL_MAX=nonsense \
			SCTPEEL_TRACE="$BATS_TEST_TMPDIR/traces/%n" "$BATS_TEST_TMPDIR/$name" plain
		assert_success
		printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/$name.said"
	done
	# natively the settings work, so that silence means something
	grep -q 'sctpeel: SCTPEEL_MAX' "$BATS_TEST_TMPDIR/linked.said"
	run grep '^sctpeel:' "$BATS_TEST_TMPDIR/setuid.said"
	assert_output ''
	run ls "$BATS_TEST_TMPDIR/traces"
	refute_output --partial setuid
}
