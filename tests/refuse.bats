# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# What sctpeel run refuses to start, with the reason and the cure. No kernel with SCTP is needed:
# that is asked for last.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
}

# Refused with this status, reason and cure: in two lines, on standard error.
assert_refused() {
	local status=$1 reason=$2 cure=$3
	shift 3
	run "-$status" --separate-stderr sctpeel run "$@"
	assert_equal "$output" ''
	assert_equal "$stderr" "sctpeel run: $reason"$'\n'"  $cure"
}

# A program that would run, as far as the file goes: the kernel is all that is left to ask for.
assert_accepted() {
	run --separate-stderr sctpeel run "$@"
	[ "$status" -eq 0 ] || assert_equal "${stderr_lines[0]}" 'sctpeel run: this kernel has no SCTP'
}

# Puts bytes (as in printf) at an offset of a file.
poke() {
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

compile() {
	cc -o "$@" -x c - <<<'int main(void) { return 0; }'
}

@test "an ordinary program is let through" {
	assert_accepted true
	assert_accepted /bin/true --help
	cp /bin/true here
	assert_accepted ./here
	PATH=:$PATH assert_accepted here
}

# contract: F07
@test "a wrong policy, by flag or environment, before anything is started" {
	run -65 sctpeel run -p 'peel if byts >= 1M' touch started
	assert_output - <<-'END'
		sctpeel: --policy: rule 1: unknown field 'byts' (did you mean 'bytes'?)
		  peel if byts >= 1M
		          ^^^^
	END
	SCTPEEL_POLICY=peal run -65 sctpeel run touch started
	assert_line --index 0 --partial "sctpeel: SCTPEEL_POLICY: rule 1: expected 'peel' or 'keep'"
	SCTPEEL_POLICY=peal assert_accepted --policy=none true
	run -66 sctpeel run -p @missing.policy touch started
	assert_line --index 0 'sctpeel run: missing.policy: No such file or directory'
	printf 'keep\nkeep if\n' >two.policy
	run -65 sctpeel run -p @two.policy touch started
	assert_line --index 0 'sctpeel: two.policy:2:8: rule 2: expected a condition, found the end of the rule'
	[ ! -e started ]
}

@test "a wrong mode, a wrong option, no program" {
	run -64 sctpeel run -m obsrve true
	assert_line --index 0 "sctpeel run: --mode: 'obsrve' is none of enforce, observe, off (did you mean 'observe'?)"
	run -64 sctpeel run
	assert_line --index 0 'sctpeel run: which program?'
	run -64 sctpeel run -p
	assert_line --index 0 'sctpeel run: -p needs an argument'
	run -64 sctpeel run --frobnicate true
	assert_line --index 0 "sctpeel run: unknown option '--frobnicate'"
	run -0 --separate-stderr sctpeel run --help
	assert_line --index 0 --partial 'usage: sctpeel run'
	run -0 sctpeel run --version
}

@test "not found, not executable, a directory" {
	assert_refused 127 'no-such-program: not found' 'give its path, or extend PATH' no-such-program
	assert_refused 127 './no-such-program: not found' 'check the path' ./no-such-program
	assert_refused 127 '/bin/true/x: not found' 'check the path' /bin/true/x
	assert_refused 127 ': not found' 'give its path, or extend PATH' ''
	: >plain
	assert_refused 126 './plain: may not be executed' \
		'make it executable with chmod +x, or name another program' ./plain
	assert_refused 126 '.: may not be executed' \
		'make it executable with chmod +x, or name another program' .
	assert_refused 126 './: is a directory' 'name the program in it' ./
	mkdir bin
	: >bin/plain
	PATH=$PWD/bin:$PATH assert_refused 126 'plain: may not be executed' \
		'make it executable with chmod +x, or name another program' plain
	# what cannot be executed is passed over for what can, later in PATH
	: >bin/true
	PATH=$PWD/bin:$PATH assert_accepted true
}

@test "statically linked" {
	requires cc
	local reason='statically linked; the dynamic loader is never asked to preload'
	local cure='link it dynamically, or call sctp_peeloff in its source'
	compile static -static
	assert_refused 126 "./static: $reason" "$cure" ./static
	compile static-pie -static-pie
	assert_refused 126 "./static-pie: $reason" "$cure" ./static-pie
	PATH=$PWD:$PATH assert_refused 126 "static: $reason" "$cure" static
}

@test "for another architecture or word size" {
	cp /bin/true i386
	poke i386 4 '\001'
	poke i386 18 '\003\000'
	run -126 sctpeel run ./i386
	assert_line --index 0 --regexp '^sctpeel run: ./i386: built for i386, 32 bit; this sctpeel is for '
	cp /bin/true sparc
	poke sparc 5 '\002'
	poke sparc 18 '\000\053'
	run -126 sctpeel run ./sparc
	assert_line --index 0 --partial './sparc: built for sparc64, 64 bit, big-endian;'
	cp /bin/true unknown
	poke unknown 18 '\312\376'
	run -126 sctpeel run ./unknown
	assert_line --index 0 --partial './unknown: built for an unknown machine, 64 bit;'
}

@test "a damaged ELF file: cut anywhere, or with nonsense in it" {
	local length
	for length in 4 5 16 20 40 51 52 63 64 100 300; do
		head -c "$length" /bin/true >short
		chmod +x short
		run -126 sctpeel run ./short
		assert_line --index 0 --regexp '^sctpeel run: ./short: damaged: '
	done
	# offset of the program headers, their size and number, and each byte of the first ones
	local at
	for at in 32 39 54 56; do
		cp /bin/true nonsense
		poke nonsense "$at" '\377\377'
		run -126 sctpeel run ./nonsense
		assert_line --index 0 --regexp '^sctpeel run: ./nonsense: (damaged|statically linked)'
	done
	for ((at = 64; at < 400; at += 7)); do
		cp /bin/true nonsense
		poke nonsense "$at" '\377\377\377\377\377\377\377\377'
		run sctpeel run ./nonsense
		[ "$status" -lt 128 ] # no crash, whatever the answer
	done
	# section headers do not matter: a program runs without
	cp /bin/true sections
	poke sections 40 '\377\377\377\377\377\377\377\177'
	assert_accepted ./sections
	cp /bin/true object
	poke object 16 '\001'
	assert_refused 126 './object: damaged: it is not an executable' 'install or build it again' ./object
}

@test "Go programs, known by their note or their section" {
	requires cc
	local reason='a Go program; its runtime calls the kernel directly, past every preloaded library'
	local cure='use a Go SCTP library that calls sctp_peeloff itself'
	cc -o note -x c - <<-'END'
		asm(".pushsection .note.go.buildid,\"a\",@note\n.long 4, 8, 4\n.ascii \"Go\\0\\0abcdefgh\"\n.popsection");
		int main(void) { return 0; }
	END
	assert_refused 126 "./note: $reason" "$cure" ./note
	strip -s note
	assert_refused 126 "./note: $reason" "$cure" ./note
	cc -o section -x c - <<-'END'
		asm(".pushsection .go.buildinfo,\"aw\"\n.ascii \"\\xff Go buildinf:\"\n.popsection");
		int main(void) { return 0; }
	END
	assert_refused 126 "./section: $reason" "$cure" ./section
	cc -o gopher -x c - <<-'END'
		asm(".pushsection .note.other,\"a\",@note\n.long 4, 8, 4\n.ascii \"GNU\\0Go\\0\\0Go\\0\\0\"\n.popsection");
		int main(void) { return 0; }
	END
	assert_accepted ./gopher
}

@test "a loader that is not glibc's" {
	requires cc
	compile musl -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
	assert_refused 126 './musl: uses the musl loader, which cannot load a library made for glibc' \
		'build it for glibc, or build sctpeel for musl' ./musl
}

# contract: G05
@test "setuid and setgid programs, where that changes who they are" {
	[ "$EUID" -eq 0 ] || skip 'needs root to give files away'
	local cure='start it as the user that it changes to, without the privilege'
	cp /bin/true privileged
	chown 65534 privileged
	chmod 4755 privileged
	assert_refused 126 './privileged: setuid; the dynamic loader ignores LD_PRELOAD for it' "$cure" ./privileged
	chown 0:65534 privileged
	chmod 2755 privileged
	assert_refused 126 './privileged: setgid; the dynamic loader ignores LD_PRELOAD for it' "$cure" ./privileged
	# not honoured: without the group's execute bit, of the own user, under no_new_privs
	chmod 2745 privileged
	assert_accepted ./privileged
	chown 0:0 privileged
	chmod 6755 privileged
	assert_accepted ./privileged
	chown 65534 privileged
	chmod 4755 privileged
	requires setpriv
	run setpriv --no-new-privs sctpeel run ./privileged
	refute_output --partial setuid
}

# contract: G05
@test "programs with file capabilities, for all but root" {
	[ "$EUID" -eq 0 ] || skip 'needs root to give capabilities'
	requires setcap setpriv
	local dir
	dir=$(mktemp -d)
	cp "$(command -v sctpeel)" /bin/true "$dir"
	chmod 755 "$dir"
	if ! setcap cap_net_raw+p "$dir/true"; then
		rm -r "$dir"
		skip 'needs file capabilities'
	fi
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/sctpeel" run "$dir/true"
	rm -r "$dir"
	[ "$status" -eq 126 ]
	assert_line --index 0 --partial 'has file capabilities; the dynamic loader ignores LD_PRELOAD for it'
}

@test "scripts: what counts is the interpreter" {
	requires cc
	printf '#!/bin/sh\nexit 0\n' >script
	chmod +x script
	assert_accepted ./script
	compile static -static
	printf '#!%s/static -x\n' "$PWD" >one
	printf '#! \t%s/one\n' "$PWD" >two
	chmod +x one two
	assert_refused 126 "./one: its interpreter $PWD/static: statically linked; the dynamic loader is never asked to preload" \
		'link it dynamically, or call sctp_peeloff in its source' ./one
	run -126 sctpeel run ./two
	assert_line --index 0 --partial "./two: its interpreter $PWD/static: statically linked"
	printf '#!/usr/bin/env static\n' >by-env
	chmod +x by-env
	PATH=$PWD:$PATH run -126 sctpeel run ./by-env
	assert_line --index 0 --partial "./by-env: its interpreter $PWD/static: statically linked"
	# what env alone understands is left to it
	printf '#!/usr/bin/env A=b\n' >by-env
	assert_accepted ./by-env
	printf '#!%s/nothing\n' "$PWD" >dangling
	printf '#!\n' >empty
	printf '#!%s/loop\n' "$PWD" >loop
	printf 'exit 0\n' >bare
	chmod +x dangling empty loop bare
	assert_refused 127 "./dangling: its interpreter $PWD/nothing: No such file or directory" \
		'install it, or change the #! line' ./dangling
	assert_refused 126 './empty: an empty #! line' "put the interpreter's path there" ./empty
	run -126 sctpeel run ./loop
	assert_line --index 0 --partial 'too many scripts that interpret one another'
	# execvp gives what has no #! to the shell
	assert_accepted ./bare
	: >nothing
	chmod +x nothing
	assert_accepted ./nothing
}

@test "a kernel without SCTP" {
	if [ -e /proc/net/sctp ]; then
		skip 'needs a kernel without SCTP'
	fi
	assert_refused 69 'this kernel has no SCTP' \
		'load the module (modprobe sctp), or use a kernel that has it' touch started
	[ ! -e started ]
}

@test "the library is gone, or cannot be named in LD_PRELOAD" {
	mkdir bin 'with blank'
	cp "$(command -v sctpeel)" bin/
	run bin/sctpeel run true
	case $status in
	72) assert_line --index 0 --partial 'libsctpeel.so is neither beside sctpeel nor in ' ;;
	0 | 69) ;; # one is installed
	*) fail "status $status" ;;
	esac
	cp "$BUILD/sctpeel" "$BUILD/libsctpeel.so" 'with blank/'
	run -72 'with blank/sctpeel' run true
	assert_line --index 0 --partial 'LD_PRELOAD cannot hold a path with a blank or colon'
}
