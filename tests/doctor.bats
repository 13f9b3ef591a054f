# shellcheck shell=bash disable=SC2154,SC2016  # $output, $stderr and $lines are bats'
# guest: no
# sctpeel doctor: what it says of kernels (made up here, real in doctor_sctp.bats), of the library, the
# variables, limits and programs.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
}

doctor() {
	sctpeel doctor "$@"
}

# Before a function: with a kernel that has SCTP, as far as doctor can see, and is as FAKE_... say.
made_up() {
	requires cc
	[ -e "$BATS_FILE_TMPDIR/kernel.so" ] ||
		cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_FILE_TMPDIR/kernel.so" "$TESTS/preloads/kernel.c"
	export LD_PRELOAD=${SANITIZER_PRELOAD:+$SANITIZER_PRELOAD:}$BATS_FILE_TMPDIR/kernel.so
}

# The line is there, with this cure below it.
assert_finding() {
	local i
	for i in "${!lines[@]}"; do
		[ "${lines[i]}" = "$1" ] || continue
		[ $# -eq 1 ] || assert_equal "${lines[i + 1]}" "        $2"
		return
	done
	fail "no line '$1' in:"$'\n'"$output"
}

compile() {
	cc -o "$1" -x c - -x none "${@:2}"
}

@test "a kernel without SCTP" {
	made_up
	FAKE_SOCKET=93 run -69 doctor
	assert_finding '  fail  this kernel has no SCTP, 6.1.176: no module sctp is installed for it' \
		'load the module (modprobe sctp), or use a kernel that has it'
	refute_output --partial PEELOFF
	assert_line '1 failed, 0 to look at'
	FAKE_SOCKET=1 run -69 doctor
	assert_finding '  fail  an SCTP socket is refused: Operation not permitted' \
		'ask whoever confines this process: a container, seccomp, a security module'
}

@test "this machine's kernel, if it has no SCTP" {
	[ ! -e /proc/net/sctp ] || skip 'needs a kernel without SCTP'
	run -69 doctor
	assert_line --index 1 --partial "  fail  this kernel has no SCTP, $(uname -r): "
}

@test "the options that peel off" {
	made_up
	run -0 doctor
	assert_finding '  ok    it can peel off: SCTP_SOCKOPT_PEELOFF (102) and SCTP_SOCKOPT_PEELOFF_FLAGS (122)'
	FAKE_OPTIONS=' 102 ' run -0 doctor
	assert_finding '  ok    it can peel off: SCTP_SOCKOPT_PEELOFF (102), but not SCTP_SOCKOPT_PEELOFF_FLAGS (122); the shim does without'
	FAKE_OPTIONS=' ' run -69 doctor
	assert_finding '  fail  it knows neither SCTP_SOCKOPT_PEELOFF (102) nor SCTP_SOCKOPT_PEELOFF_FLAGS (122)'
}

@test "kernels with faults that peeling brings out" {
	made_up
	local version
	for version in 4.15.18 6.1.176 6.1.200 7.1.0 7.2 8.0.1; do
		FAKE_RELEASE=$version run -0 doctor
		assert_finding "  ok    $version has no known fault around peeling"
	done
	for version in 6.1.0 6.1.174 6.1.175; do
		FAKE_RELEASE=$version run -0 doctor
		assert_line --partial "  warn  $version can corrupt its memory when one thread peels off"
		assert_line '0 failed, 1 to look at'
	done
	for version in 4.16.0 5.15.3 6.6.80 6.12.1 7.0.9; do
		FAKE_RELEASE=$version run -0 doctor
		assert_line --partial "  warn  $version: not known whether it can still corrupt its memory"
	done
	# a distribution's release says little, the version behind it counts
	FAKE_RELEASE=6.1.0-48-amd64 FAKE_VERSION='#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-20)' run -0 doctor
	assert_line --partial '  ok    this kernel, 6.1.0-48-amd64 (6.1.176), has SCTP'
	assert_finding '  ok    6.1.176 has no known fault around peeling'
	FAKE_RELEASE=6.1.180-rt12+ run -0 doctor
	assert_finding '  ok    6.1.180 has no known fault around peeling'
}

@test "the library: beside the command, nowhere, of another version, damaged" {
	made_up
	run -0 doctor
	assert_finding "  ok    $(readlink -f "$SHIM"), version $(sctpeel --version | cut -d ' ' -f 2), loads"
	cp "$BUILD/sctpeel" .
	run -72 ./sctpeel doctor
	assert_line --regexp '^  fail  libsctpeel.so is neither beside sctpeel nor in '
	echo 'no library' >libsctpeel.so
	run -72 ./sctpeel doctor
	assert_line --regexp "^  fail  $PWD/libsctpeel.so does not load: .*file too short"
	compile libsctpeel.so -shared -fPIC <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		__attribute__((constructor)) static void start(void)
		{ fputs("sctpeel 0.0.1: peels associations\n", stderr), exit(0); }
	END
	run -0 ./sctpeel doctor
	assert_finding "  warn  $PWD/libsctpeel.so is version 0.0.1, this command $(sctpeel --version | cut -d ' ' -f 2)" \
		'install both from one build'
}

@test "variables: none, good, wrong, unknown" {
	made_up
	run -0 doctor
	assert_finding '  ok    no SCTPEEL_ variable is set; the policy is: volume: peel if assocs > 1 and msgs >= 2'
	SCTPEEL_POLICY=$'keep if msgs < 3\npeel' SCTPEEL_MAX=7 SCTPEEL_FOLLOW=no SCTPEEL_ON_ERROR=abort run -0 doctor
	assert_finding '  ok    SCTPEEL_POLICY=keep if msgs < 3' peel
	assert_finding '  ok    SCTPEEL_MAX=7'
	assert_finding '  ok    SCTPEEL_FOLLOW=false'
	assert_finding '  ok    SCTPEEL_ON_ERROR=abort'
	SCTPEEL_POLICY='peel if byts > 3' SCTPEEL_MODE=obsrve SCTPEEL_POLCY=all run -78 doctor
	assert_finding "  fail  SCTPEEL_POLICY: rule 1: unknown field 'byts' (did you mean 'bytes'?)" '  peel if byts > 3'
	assert_finding "  fail  SCTPEEL_MODE: 'obsrve' is not known (did you mean 'observe'?)"
	assert_finding '  warn  SCTPEEL_POLCY: no such variable (did you mean SCTPEEL_POLICY?)' \
		'it has no effect: correct or unset it'
	assert_line '2 failed, 1 to look at'
	SCTPEEL_MODE=off run -0 doctor
	assert_finding '  warn  SCTPEEL_MODE=off: the library stays out of every call'
}

@test "folders that the program is to write into" {
	made_up
	SCTPEEL_TRACE=$PWD/t.jsonl SCTPEEL_STATS=$PWD/x.prom SCTPEEL_LIVE=$PWD run -0 doctor
	assert_line '0 failed, 0 to look at'
	SCTPEEL_TRACE=no/t.%p SCTPEEL_STATS=not/x.prom SCTPEEL_LIVE=never run -0 doctor
	assert_finding '  warn  SCTPEEL_TRACE: no: No such file or directory'
	assert_finding '  warn  SCTPEEL_STATS: not: No such file or directory'
	assert_finding '  warn  SCTPEEL_LIVE: never: No such file or directory' \
		"create it, and let the program's user write there"
	SCTPEEL_TRACE=%n/t.%p run -0 doctor
	assert_line '0 failed, 0 to look at'
}

@test "limits: descriptors and buffers" {
	made_up
	limited() {
		ulimit -n "$1"
		sctpeel doctor
	}
	run -0 limited 500
	assert_finding "  ok    RLIMIT_NOFILE 500 less SCTPEEL_FD_RESERVE 64 leaves 436 descriptors to the program's files and to peeled associations"
	SCTPEEL_FD_RESERVE=500 run -78 limited 500
	assert_finding '  fail  RLIMIT_NOFILE 500 less SCTPEEL_FD_RESERVE 500 leaves no descriptor to peel off into' \
		'raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit'
	SCTPEEL_MAX=437 run -0 limited 500
	assert_finding '  warn  RLIMIT_NOFILE 500 less SCTPEEL_FD_RESERVE 64 leaves 436 descriptors, fewer than SCTPEEL_MAX 437'
	local most
	most=$(</proc/sys/net/core/rmem_max)
	SCTPEEL_RCVBUF=$((most + 1)) run -0 doctor
	assert_finding "  warn  SCTPEEL_RCVBUF=$((most + 1)) is above net.core.rmem_max=$most, which the kernel takes instead"
}

@test "a program that uses libsctp, and which calls it imports where" {
	made_up
	cat >server.c <<-'END'
		#include <netinet/sctp.h>
		#include <poll.h>
		#include <unistd.h>
		int main(void)
		{
			struct pollfd p = {0};
			char c;
			poll(&p, 0, 0);
			return sctp_sendmsg(-1, 0, 0, 0, 0, 0, 0, 0, 0, 0) + sctp_peeloff(-1, 1) + (int)read(-1, &c, 1);
		}
	END
	cc -o server server.c -lsctp
	run -0 doctor ./server
	assert_line --regexp '^  ok    \./server can be preloaded into \(.*, (32|64) bit\)$'
	assert_finding '  ok    server imports read poll'
	assert_line --regexp '^  ok    libsctp\.so\.1 imports recvmsg sendmsg .*getsockopt setsockopt'
	assert_finding '  ok    it uses SCTP, through libsctp; it can peel off by itself, and then gets plain descriptors of its own'
	SCTPEEL_PROGRAM='amf*' run -0 doctor ./server
	assert_finding '  warn  SCTPEEL_PROGRAM=amf* does not match server: the shim stays out of it'
}

@test "libraries are found as the loader finds them, and the program is not started" {
	made_up
	compile inner.so -shared -fPIC -Wl,-soname,inner.so <<<'#include <sys/socket.h>
		int inner(void) { return (int)recv(-1, 0, 0, 0); }'
	mkdir deep
	mv inner.so deep/
	compile outer.so -shared -fPIC -Wl,-soname,outer.so -L deep -l:inner.so -Wl,-rpath,'$ORIGIN/deep' \
		<<<'int inner(void); int outer(void) { return inner(); }'
	compile server -L . -l:outer.so -Wl,-rpath-link,deep <<<'#include <fcntl.h>
		int outer(void);
		__attribute__((constructor)) static void start(void) { creat("started", 0600); }
		int main(void) { return outer(); }'
	run -0 doctor ./server
	assert_finding '  warn  server needs outer.so, which is not found' \
		'install it, or set LD_LIBRARY_PATH as for the program'
	LD_LIBRARY_PATH=$PWD run -0 doctor ./server
	assert_finding '  ok    inner.so imports recv'
	refute_output --partial 'not found'
	[ ! -e started ]
	# an old DT_RPATH of the program counts for what its libraries need
	compile server -L . -l:outer.so -Wl,--disable-new-dtags,-rpath,"$PWD:$PWD/deep" \
		<<<'int outer(void); int main(void) { return outer(); }'
	run -0 doctor ./server
	assert_finding '  ok    inner.so imports recv'
}

@test "programs without a sign of SCTP, and those that go round the shim" {
	made_up
	run -0 doctor true
	assert_finding '  warn  no sign of SCTP: it neither opens sockets nor names libsctp'
	compile quiet <<<'int main(void) { return 0; }'
	run -0 doctor ./quiet
	assert_finding '  warn  none of the calls that the shim takes is imported' 'see whether it loads more at run time'
	compile raw <<<'#include <sys/socket.h>
		#include <unistd.h>
		int main(void) { return (int)syscall(socket(0, 0, 0)); }'
	run -0 doctor ./raw
	assert_finding '  warn  no sign of SCTP: it opens sockets, but does not name libsctp'
	assert_finding '  warn  raw imports syscall(): a socket that it uses that way is not peeled off' \
		'nothing, unless it calls the kernel for its SCTP sockets'
	compile later <<<'#include <dlfcn.h>
		int main(void) { return dlopen("libsctp.so.1", RTLD_NOW) == 0; }'
	run -0 doctor ./later
	assert_finding '  ok    it uses SCTP, through libsctp'
}

# contract: G05
@test "what run refuses, doctor fails with the same reason, cure and status" {
	made_up
	compile static -static <<<'int main(void) { return 0; }'
	run -126 doctor ./static
	assert_finding '  fail  ./static: statically linked; the dynamic loader is never asked to preload' \
		'link it dynamically, or call sctp_peeloff in its source'
	run -127 doctor ./nothing
	assert_finding '  fail  ./nothing: not found' 'check the path'
	printf '#!%s/static\n' "$PWD" >script
	chmod +x script
	run -126 doctor ./script
	assert_finding "  fail  ./script: its interpreter $PWD/static: statically linked; the dynamic loader is never asked to preload"
	printf '#!/bin/sh\n' >script
	run -0 doctor ./script
	assert_finding '  ok    ./script is run by /bin/sh'
}

@test "programs with damaged tables do no harm" {
	made_up
	local at size
	cp /bin/true good
	size=$(stat -c %s good)
	for ((at = 64; at < size; at += size / 40)); do
		cp good damaged
		printf '\377\377\377\377\377\377\377\377' | LD_PRELOAD='' dd of=damaged bs=1 seek=$at conv=notrunc status=none
		run doctor ./damaged
		[ "$status" -lt 128 ]
		head -c $at good >damaged
		run doctor ./damaged
		[ "$status" -lt 128 ]
	done
}

@test "names and values cannot move the cursor, nor leave their JSON string" {
	made_up
	requires jq
	cp /bin/true $'\e[2J"x'
	SCTPEEL_PROGRAM=$'\e[4J*' SCTPEEL_LIVE=$'\e[3J' run -0 doctor ./$'\e[2J"x'
	refute_output --partial $'\e'
	assert_line --partial './?[2J"x can be preloaded into'
	SCTPEEL_PROGRAM=$'\e[4J*' run -0 doctor --json ./$'\e[2J"x'
	refute_output --partial $'\e'
	run -0 jq -r '.findings[] | select(.section == "program") | .text' <<<"$output"
	assert_line --partial $'./\e[2J"x can be preloaded into'
}

@test "JSON: one object, the same findings and the same status" {
	made_up
	requires jq
	SCTPEEL_POLCY='"' FAKE_OPTIONS=' ' run -69 --separate-stderr doctor --json true
	assert_equal "$(jq -r '.status, .failures, .warnings' <<<"$output" | paste -sd ' ')" "69 1 3"
	assert_equal "$(jq -r '.findings[] | select(.level == "fail") | .section' <<<"$output")" kernel
	run -0 jq -r '[.findings[].section] | unique | join(" ")' <<<"$output"
	assert_output 'kernel library limits program variables'
}

@test "the command line of doctor" {
	run -64 doctor one two
	assert_line --index 0 'sctpeel doctor: one program, without its arguments'
	run -64 doctor --frobnicate
	assert_line --index 0 "sctpeel doctor: unknown option '--frobnicate'"
	run -0 --separate-stderr doctor --help
	assert_line --index 0 'usage: sctpeel doctor [--json] [PROGRAM]'
	run -0 doctor --version
	assert_output "$(sctpeel --version)"
	run -74 bash -c 'sctpeel doctor >/dev/full'
}

@test "the fuzzer's seeds: executables" {
	run -0 --separate-stderr "$BUILD/fuzz/elf_fuzz" "$TESTS"/fuzz/elf/*
	assert_equal "${stderr##*$'\n'}" '2 inputs'
}
