# shellcheck disable=SC2030,SC2031 # a test is a subshell of its own
# The transparency contract, P03: a server that executes itself, and takes its socket along.
load contract

# held: P03 with SCTPEEL_FOLLOW=false on inheritable sockets; with an exec that leaves the library out peeled associations end, and an `error` event says so

# contract: P03
@test "peeled associations go along with the socket, by each call of the family" {
	contract 3 exec p03-family
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 3
	nothing_failed
}

# contract: P03
@test "three images and a hundred associations with traffic all the time: nothing is lost" {
	contract 100 exec p03-many
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 100
	nothing_failed
}

# contract: P03
@test "what was set, and what has not been read yet, is there for the new image" {
	contract 3 exec p03-as-it-was
	nothing_failed
}

# contract: P03
@test "a message that was read in part is read to its end by the new image" {
	contract 2 exec p03-half-read
	nothing_failed
}

# contract: P03
@test "an exec that fails leaves all as it was; later nothing goes along with a socket that does not" {
	contract 3 exec p03-fails
	nothing_failed
}

# contract: P03
@test "a forked child that goes on as another image shares what is peeled off" {
	contract 3 exec p03-child
	nothing_failed
}

# contract: P03
@test "a child of vfork that executes another program, or fails to" {
	contract 3 exec p03-vfork
	nothing_failed
}

# The thread that peels off does not live to tell of it.
# contract: P03
@test "an exec while another thread peels off takes that along" {
	requires plain
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/slow_peel.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/slow_peel.so" "$TESTS/preloads/slow_peel.c"
	contract 0 exec p03-amid
	nothing_failed
}

# contract: P03
@test "an epoll set that goes along wakes for what was peeled off" {
	contract 2 exec p03-epoll
	nothing_failed
}

nothing_failed() {
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"')" 0
}

# contract: P03
@test "a wrapper in between, with the shim in it and without" {
	contract 2 exec p03-wrapped
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 2
	nothing_failed
	rm -f "$BATS_TEST_TMPDIR/trace"
	contract 2 exec p03-wrapped SCTPEEL_PROGRAM=contract_exec
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 2
	nothing_failed
}

# contract: P03 F02
@test "no memory for the hub in the new image: it is made later" {
	contract 1 exec p03-serves SCTPEEL_INJECT=epoll:ENOMEM:times=1
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"' 'exec: what was peeled off')" 1
}

# contract: P03
@test "an image without the library: what was peeled off ends, and it is said before" {
	shim SCTPEEL_POLICY=all SCTPEEL_TRACE="$BATS_TEST_TMPDIR/trace" \
		"$PROGRAMS/contract_exec" p03-alone
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"error"' \
		'exec: 2 peeled associations do not go along with the socket: LD_PRELOAD')" 1
}

# contract: P03
@test "a program that nothing can be preloaded into: said before, by name and by descriptor" {
	local trace=$BATS_TEST_TMPDIR/trace by name
	[ "$EUID" -eq 0 ] || skip 'needs root for a program of another user'
	cd "$BATS_TEST_TMPDIR"
	echo 'int main(void) { return 0; }' >another.c
	cc -static -o static another.c
	cc -o setuid another.c
	chown nobody setuid && chmod u+s setuid
	for by in p03-another p03-another-open; do
		for name in static setuid; do
			rm -f "$trace"
			shim SCTPEEL_POLICY=all SCTPEEL_TRACE="$trace" CONTRACT_PROGRAM="$PWD/$name" \
				"$PROGRAMS/contract_exec" "$by"
			assert_equal "$by $name $(reason_of "$trace")" "$by $name $(told "$name")"
		done
	done
}

reason_of() {
	sed -n 's/.*"exec: 2 peeled associations do not go along with the socket: \([^"]*\)".*/\1/p' "$1"
}

told() {
	case $1 in
	static) echo 'the program is statically linked' ;;
	setuid) echo 'the program is set-user-ID or set-group-ID' ;;
	esac
}

# contract: P03
@test "SCTPEEL_FOLLOW=false: held on a socket that would go along, and the next image is alone" {
	both follow SCTPEEL_FOLLOW=false SCTPEEL_TRACE="$BATS_TEST_TMPDIR/trace" \
		"$PROGRAMS/contract_exec" p03-serves
	assert_equal "$(peels "$BATS_TEST_TMPDIR/trace")" 0
	[ "$(events "$BATS_TEST_TMPDIR/trace" '"verdict":"hold"' SCTPEEL_FOLLOW)" -gt 0 ]
	assert_equal "$(events "$BATS_TEST_TMPDIR/trace" '"event":"start"')" 1
	nothing_failed
}

# Each is refused with its reason, and the program is served as any other.
# contract: P03
@test "what is forged, stale, cut short or another version's is refused" {
	local trace=$BATS_TEST_TMPDIR/trace kind reason
	export SCTPEEL_POLICY=peel SCTPEEL_TRACE=$trace
	run -0 "$PROGRAMS/contract_exec" p03-serves-plainly
	plainly=$output
	while read -r kind reason; do
		rm -f "$trace"
		run -0 "$PROGRAMS/forger" "$kind" "$PRELOAD" "$PROGRAMS/contract_exec" p03-serves-plainly
		assert_output "$plainly"
		assert_equal "$kind $(events "$trace" '"event":"error"' "$reason")" "$kind 1"
	done <<-'KINDS'
		another for another process
		version of another version
		magic none of ours
		short cut short
		cut cut short
		numbers cut short
		unsealed not what it was
		file not what it was
		closed not what it was
		recycled not what it was
	KINDS
	export SCTPEEL__HANDED=nonsense
	run_shim -0 "$PROGRAMS/contract_exec" p03-serves-plainly
	assert_output "$plainly"
}

# contract: P03
@test "whatever was written into it, the program starts" {
	SCTPEEL_POLICY=peel run -0 "$PROGRAMS/forger" random 100 "$PRELOAD" /bin/true
	refute_output
}
