# shellcheck shell=bash disable=SC2154,SC2016  # $output, $stderr and $lines are bats'
# guest: no
# The environment: what is understood, what is refused and how, and that no program suffers from it.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	DRIVER=$BUILD/unit/events_driver
	local name
	for name in "${!SCTPEEL_@}"; do unset "$name"; done
}

# The value of a variable as resolved.
resolved() {
	local name=$1
	shift
	env "$@" "$DRIVER" settings 2>/dev/null | jq -c ".$name"
}

# contract: F07
@test "defaults are those of the manual" {
	run jq -S -c . <<<"$("$DRIVER" settings)"
	assert_output "$(jq -S -c . <<-'JSON'
		{"SCTPEEL_POLICY":"volume: peel if assocs > 1 and msgs >= 2","SCTPEEL_MODE":"enforce",
		"SCTPEEL_TRACE":null,"SCTPEEL_TRACE_FORMAT":"jsonl",
		"SCTPEEL_TRACE_EVENTS":"start,stop,assoc,decision,peel,error,drop",
		"SCTPEEL_TRACE_LIMIT":67108864,"SCTPEEL_STATS":null,"SCTPEEL_STATS_INTERVAL":10000000000,
		"SCTPEEL_LIVE":null,"SCTPEEL_MAX":"inf","SCTPEEL_FD_RESERVE":64,"SCTPEEL_RCVBUF":null,
		"SCTPEEL_SNDBUF":null,"SCTPEEL_QUANTUM":16,"SCTPEEL_PROGRAM":"*","SCTPEEL_FOLLOW":true,
		"SCTPEEL_ON_ERROR":"warn","SCTPEEL_DEBUG":"warn","SCTPEEL_INJECT":null,"passive":false}
	JSON
	)"
}

@test "values: enumerations in any case, sizes, times, counts, booleans, blanks around" {
	local name value want
	while read -r name value want; do
		run resolved "$name" "$name=${value//_/ }"
		assert_output "$want"
	done <<-'TABLE'
		SCTPEEL_POLICY ALL "peel"
		SCTPEEL_POLICY _none_ "keep"
		SCTPEEL_POLICY keep;_peel_if_bytes_>_1M "keep; peel if bytes > 1M"
		SCTPEEL_MODE Observe "observe"
		SCTPEEL_MODE _ENFORCE_ "enforce"
		SCTPEEL_TRACE STDERR "STDERR"
		SCTPEEL_TRACE_FORMAT LogFmt "logfmt"
		SCTPEEL_TRACE_EVENTS all "start,stop,assoc,decision,peel,error,drop,msg,call"
		SCTPEEL_TRACE_EVENTS !START,!stop "assoc,decision,peel,error,drop"
		SCTPEEL_TRACE_EVENTS peel,,_drop, "peel,drop"
		SCTPEEL_TRACE_LIMIT 4096 4096
		SCTPEEL_TRACE_LIMIT 8k 8192
		SCTPEEL_TRACE_LIMIT 3G 3221225472
		SCTPEEL_TRACE_LIMIT INF "inf"
		SCTPEEL_STATS /run/x.prom "/run/x.prom"
		SCTPEEL_STATS_INTERVAL 500ms 500000000
		SCTPEEL_STATS_INTERVAL 24h 86400000000000
		SCTPEEL_LIVE /dev/shm "/dev/shm"
		SCTPEEL_MAX 0 0
		SCTPEEL_MAX 4294967294 4294967294
		SCTPEEL_MAX inf "inf"
		SCTPEEL_FD_RESERVE 0 0
		SCTPEEL_RCVBUF 256K 262144
		SCTPEEL_SNDBUF 2147483647 2147483647
		SCTPEEL_QUANTUM 65536 65536
		SCTPEEL_FOLLOW No false
		SCTPEEL_FOLLOW on true
		SCTPEEL_FOLLOW 0 false
		SCTPEEL_ON_ERROR IGNORE "ignore"
		SCTPEEL_DEBUG Debug "debug"
		SCTPEEL_INJECT peel:EMFILE,epoll:delay=5ms:every=2 "peel:EMFILE,epoll:delay=5ms:every=2"
	TABLE
}

@test "empty and blank mean unset" {
	local name
	for name in POLICY MODE TRACE TRACE_FORMAT TRACE_EVENTS TRACE_LIMIT STATS STATS_INTERVAL LIVE \
		MAX FD_RESERVE RCVBUF SNDBUF QUANTUM PROGRAM FOLLOW ON_ERROR DEBUG INJECT; do
		run --separate-stderr env "SCTPEEL_$name=" "$DRIVER" settings
		assert_equal "$stderr" ''
		assert_output "$("$DRIVER" settings)"
		run --separate-stderr env "SCTPEEL_$name= " "$DRIVER" settings
		assert_output "$("$DRIVER" settings)"
	done
}

# variable | bad value | what the message says
bad_values() {
	cat <<-'TABLE'
		POLICY|peel if byts >= 1M|rule 1: unknown field 'byts' (did you mean 'bytes'?)
		POLICY|@/nowhere/x|/nowhere/x: No such file or directory
		MODE|enforec|'enforec' is not known (did you mean 'enforce'?)
		MODE|perhaps|allowed: enforce, observe or off
		TRACE|fd:x|'fd:x' names no descriptor
		TRACE|fd:99999999999|'fd:99999999999' names no descriptor
		TRACE|fd:|'fd:' is no place for events
		TRACE|stdout|'stdout' is no place for events
		TRACE|unix:|'unix:' is no place for events
		TRACE|/tmp/%q|has a '%' that means nothing
		TRACE|/tmp/100%|has a '%' that means nothing
		TRACE|/tmp/|is a folder
		TRACE_FORMAT|json|'json' is not known (did you mean 'jsonl'?)
		TRACE_EVENTS|start,decisions|'decisions' is not an event (did you mean 'decision'?)
		TRACE_EVENTS|!|'' is not an event
		TRACE_LIMIT|64Q|'64Q' is not a size
		TRACE_LIMIT|-1|'-1' is not a size
		TRACE_LIMIT|99999999999G|'99999999999G' is not a size
		TRACE_LIMIT|100|'100' is out of range
		STATS|/run/x.txt|'/run/x.txt' is not a .prom file
		STATS_INTERVAL|10|'10' is not a time
		STATS_INTERVAL|1ms|'1ms' is out of range
		MAX|many|'many' is not a count
		MAX|4294967295|'4294967295' is out of range
		FD_RESERVE|64K|'64K' is not a count
		FD_RESERVE|1048577|'1048577' is out of range
		RCVBUF|0|'0' is out of range
		RCVBUF|4G|'4G' is out of range
		SNDBUF|1.5M|'1.5M' is not a size
		QUANTUM|0|'0' is out of range
		QUANTUM|18446744073709551616|is not a count
		FOLLOW|maybe|'maybe' is neither true nor false
		ON_ERROR|exit|'exit' is not known
		DEBUG|verbose|'verbose' is not known
		DEBUG|warm|(did you mean 'warn'?)
		INJECT|peel|'peel' has neither an errno nor a delay
		INJECT|peal:EMFILE|unknown site 'peal', known are peel, trace, epoll
		INJECT|peel:EMFIL|unknown errno 'EMFIL'
		INJECT|peel:EMFILE:every=0|not a count: '0'
		INJECT|peel:delay=5|not a time: '5'
		INJECT|peel:EMFILE:often=1|unknown option 'often'
	TABLE
}

# contract: F07
@test "each bad value: one message that says what, what is allowed and what follows; the program runs on" {
	local name value text
	while IFS='|' read -r name value text; do
		run --separate-stderr env "SCTPEEL_$name=$value" "$DRIVER" settings
		assert_success
		[[ $stderr = *"$text"* ]] || fail "SCTPEEL_$name=$value: $stderr"
		[[ $stderr = "sctpeel: SCTPEEL_$name: "* ]] || fail "$stderr"
		[[ $stderr = *$'\n  sctpeel stays out of this program (SCTPEEL_ON_ERROR=warn)' ]]
		[ "$(grep -c ^sctpeel: <<<"$stderr")" -eq 1 ]
		[ "$(wc -l <<<"$stderr")" -ge 3 ]
		assert_equal "$(jq .passive <<<"$output")" true
	done < <(bad_values)
}

# contract: F07
@test "each bad value under SCTPEEL_ON_ERROR=abort: status 78 and no main" {
	local name value text
	while IFS='|' read -r name value text; do
		[ "$name" != ON_ERROR ] || continue
		run --separate-stderr env "SCTPEEL_$name=$value" SCTPEEL_ON_ERROR=abort "$DRIVER" settings
		assert_equal "$status" 78
		assert_output ''
		[[ $stderr = *"$text"* && $stderr = *'ends this program before its main'* ]]
	done < <(bad_values)
}

# contract: F07
@test "each bad value under SCTPEEL_ON_ERROR=ignore: silence, and passive" {
	local name value text
	while IFS='|' read -r name value text; do
		[ "$name" != ON_ERROR ] || continue
		run --separate-stderr env "SCTPEEL_$name=$value" SCTPEEL_ON_ERROR=ignore "$DRIVER" settings
		assert_success
		assert_equal "$stderr" ''
		assert_equal "$(jq .passive <<<"$output")" true
	done < <(bad_values)
}

# contract: F07
@test "several mistakes are told together, by one write" {
	requires strace plain
	run --separate-stderr env SCTPEEL_MAX=x SCTPEEL_MODE=y SCTPEEL_TYPO=1 \
		strace -qq -e trace=write,pwritev2 -e write=none -o calls "$DRIVER"
	[ "$(grep -c ^sctpeel: <<<"$stderr")" -eq 3 ]
	[ "$(grep -cE '^(write|pwritev2)\(2,' calls)" -eq 1 ]
}

# contract: F07
@test "the message of a long or hostile value is short and cannot move the cursor" {
	local long
	printf -v long '%0100000d' 0
	for long in "$long" "$(printf '%s\e[2J\n' "${long:0:50}")" "@$long" "unix:$long"; do
		for name in POLICY MODE TRACE TRACE_EVENTS TRACE_LIMIT STATS LIVE MAX PROGRAM FOLLOW INJECT; do
			run --separate-stderr env "SCTPEEL_$name=$long" "$DRIVER"
			assert_success
			[ "${#stderr}" -lt 4096 ]
			run ! env LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$stderr"
		done
	done
}

@test "an unknown variable: a warning with the nearest name, and no more" {
	run --separate-stderr env SCTPEEL_POLICI=all SCTPEEL_WHATEVER=1 "$DRIVER" settings
	assert_equal "$(jq .passive <<<"$output")" false
	[[ $stderr = *'sctpeel: SCTPEEL_POLICI: no such variable (did you mean SCTPEEL_POLICY?)'* ]]
	[[ $stderr = *'sctpeel: SCTPEEL_WHATEVER: no such variable'* ]]
	[ "$(wc -l <<<"$stderr")" -eq 2 ]
	SCTPEEL_POLICI=all SCTPEEL_DEBUG=error run --separate-stderr "$DRIVER"
	assert_equal "$stderr" ''
	SCTPEEL_POLICI=all SCTPEEL_ON_ERROR=ignore run --separate-stderr "$DRIVER"
	assert_equal "$stderr" ''
	SCTPEEL_POLICI=all SCTPEEL_ON_ERROR=abort run --separate-stderr "$DRIVER" settings
	assert_success
}

# contract: F07
@test "a mistake in the rules is shown where it is" {
	SCTPEEL_POLICY='peel if byts >= 1M' run --separate-stderr "$DRIVER"
	assert_equal "$stderr" "$(cat <<-'TEXT'
		sctpeel: SCTPEEL_POLICY: rule 1: unknown field 'byts' (did you mean 'bytes'?)
		  peel if byts >= 1M
		          ^^^^
		  sctpeel stays out of this program (SCTPEEL_ON_ERROR=warn)
	TEXT
	)"
}

@test "@FILE: rules from a file; a mistake there names the file" {
	printf '# for the tests\nkeep if peer 10.9.0.0/16\nbulk: peel if rate(5s) > 10M/s for 3s\n' >rules
	run resolved SCTPEEL_POLICY "SCTPEEL_POLICY=@$PWD/rules"
	assert_output --partial 'bulk: peel if rate(5s) > 10M/s for 3s'
	echo 'peel if byts > 3' >>rules
	SCTPEEL_POLICY=@rules run --separate-stderr "$DRIVER" settings
	[[ $stderr = "sctpeel: rules:4:9: rule 3: unknown field 'byts'"*$'\n  peel if byts > 3\n          ^^^^\n'* ]]
	assert_equal "$(jq .passive <<<"$output")" true
}

# contract: F07
@test "@FILE that cannot be read: the cause and the remedy, no wait" {
	mkdir folder
	mkfifo pipe
	head -c 70000 /dev/zero | tr '\0' '#' >large
	printf 'keep\0' >binary
	printf 'keep #%065529d\n' 0 >largest
	local file cause
	while read -r file cause; do
		SCTPEEL_POLICY=@$file run --separate-stderr timeout 10 "$DRIVER" settings
		assert_success
		[[ $stderr = "sctpeel: SCTPEEL_POLICY: $file: $cause"$'\n  '[a-z]* ]] || fail "$stderr"
	done <<-'TABLE'
		missing No such file or directory
		folder not a regular file
		pipe not a regular file
		/dev/zero not a regular file
		large too large
		binary not a text file
	TABLE
	[ "$(stat -c %s largest)" -eq 65536 ]
	SCTPEEL_POLICY=@largest run --separate-stderr "$DRIVER"
	assert_equal "$stderr" ''
}

@test "help: variables, fields, presets and examples on stderr, status 0, no main" {
	SCTPEEL_POLICY=Help run --separate-stderr "$DRIVER" settings
	assert_success
	assert_output ''
	local text name
	for text in 'msgrate(T)' 'retrans' 'volume' '10.9.0.0/16' '@/etc/sctpeel.d/amf.policy'; do
		[[ $stderr = *"$text"* ]]
	done
	for name in $("$DRIVER" settings | jq -r 'keys[] | select(startswith("SCTPEEL"))'); do
		[[ $stderr = *"  $name"* ]]
	done
	SCTPEEL_POLICY=help SCTPEEL_MODE=off run --separate-stderr "$DRIVER" settings
	[ -n "$output" ]
}

@test "SCTPEEL_MODE=off: nothing else is looked at or warned of" {
	SCTPEEL_MODE=OFF SCTPEEL_MAX=x SCTPEEL_TYPO=1 SCTPEEL_POLICY=@none SCTPEEL_ON_ERROR=abort \
		SCTPEEL_TRACE=$PWD/trace run --separate-stderr "$DRIVER" settings
	assert_success
	assert_equal "$stderr" ''
	assert_equal "$(jq .passive <<<"$output")" true
	[ ! -e trace ]
}

@test "SCTPEEL_PROGRAM: a glob on the name; others are left alone in silence" {
	local glob
	for glob in '*' 'events_driver' 'ev*_d?iver' '*[a-f][!a-q]' '**r' 'e*e*e*r' '\e*' '[[e]*' '*[]r]'; do
		run resolved passive "SCTPEEL_PROGRAM=$glob"
		assert_output false
	done
	for glob in events 'Events_driver' '?' '*x' 'e*z*r' '[!e]*' '\*' '[a' 'events_driver?'; do
		run resolved passive "SCTPEEL_PROGRAM=$glob"
		assert_output true
	done
	SCTPEEL_PROGRAM=amf SCTPEEL_MAX=x SCTPEEL_TYPO=1 SCTPEEL_ON_ERROR=abort SCTPEEL_TRACE=$PWD/trace \
		run --separate-stderr "$DRIVER" emit:1
	assert_success
	assert_equal "$stderr" ''
	[ ! -e trace ]
}

@test "values outlive the environment and the arguments that they came from" {
	# what setproctitle does, and the kernel with it: nothing of ours may point there
	SCTPEEL_POLICY='bulk: peel if bytes > 3M' SCTPEEL_TRACE=$PWD/trace run "$DRIVER" wipe settings emit:1
	assert_output --partial 'bulk: peel if bytes > 3M'
	run jq -r .program trace
	assert_line -n 1 events_driver
}

@test "with stderr closed nothing is said anywhere" {
	SCTPEEL_MAX=x "$DRIVER" 2>&-
	SCTPEEL_MAX=x "$DRIVER" settings 2>&- >out
	[ "$(jq .passive out)" = true ]
	[ "$(wc -l <out)" -eq 1 ]
}

# contract: G05
@test "setuid and setgid programs: the environment is not read" {
	[ "$EUID" -eq 0 ] || skip 'needs root to make a setgid program'
	cp "$DRIVER" privileged
	chgrp 65534 privileged
	chmod 2755 privileged
	SCTPEEL_TRACE=$PWD/trace SCTPEEL_MAX=x SCTPEEL_POLICY=help run --separate-stderr ./privileged settings
	assert_success
	assert_equal "$stderr" ''
	assert_equal "$(jq .passive <<<"$output")" true
	[ ! -e trace ]
}

@test "diagnostics: level, line, and no locale" {
	SCTPEEL_DEBUG=debug LC_ALL=de_DE.UTF-8 run --separate-stderr "$DRIVER" $'say:a\e[1m'
	assert_equal "$stderr" "$(for level in error warn info debug; do
		echo "sctpeel: $level: a?[1m, -3 4000000000 -5 ff 4 c ab% Too many open files"
	done)"
	local level count=0
	for level in error warn info debug; do
		SCTPEEL_DEBUG=$level run --separate-stderr "$DRIVER" say:x
		count=$((count + 1))
		[ "$(wc -l <<<"$stderr")" -eq $count ]
	done
}

@test "faults: sites, errno names, every, after, times, delay" {
	SCTPEEL_INJECT='peel:EMFILE' run "$DRIVER" fault:peel,3 fault:epoll,2
	assert_output $'24 24 24\n0 0'
	SCTPEEL_INJECT='peel:EBUSY:every=3,epoll:enomem' run "$DRIVER" fault:peel,7 fault:epoll,1
	assert_output $'0 0 16 0 0 16 0\n12'
	SCTPEEL_INJECT='peel:EBUSY:after=2:times=2' run "$DRIVER" fault:peel,6
	assert_output '0 0 16 16 0 0'
	SCTPEEL_INJECT='peel:EBUSY:times=1, peel:EMFILE' run "$DRIVER" fault:peel,3
	assert_output '16 24 24'
	SCTPEEL_INJECT='memory:EWOULDBLOCK,fd:EOPNOTSUPP,option:ENOPROTOOPT' run "$DRIVER" fault:memory,1 \
		fault:fd,1 fault:option,1
	assert_output $'11\n95\n92'
	local before=${EPOCHREALTIME/./}
	SCTPEEL_INJECT='peel:delay=100ms:every=2' run "$DRIVER" fault:peel,4
	assert_output '0 0 0 0'
	[ $((${EPOCHREALTIME/./} - before)) -ge 200000 ]
	run "$DRIVER" fault:peel,2
	assert_output '0 0'
}

# --- the same through the library ----------------------------------------------------------------

# contract: F07 G01
@test "under the shim: a bad environment changes no output and no status of a program" {
	local name value text
	while IFS='|' read -r name value text; do
		run_shim --separate-stderr "SCTPEEL_$name=$value" sh -c 'echo out; exit 3'
		assert_equal "$status" 3
		assert_output out
		[[ $stderr = "sctpeel: SCTPEEL_$name: "*"$text"* ]] || fail "$stderr"
		[ "$(grep -c ^sctpeel: <<<"$stderr")" -eq 1 ]
	done < <(bad_values)
}

# contract: F07
@test "under the shim: abort, ignore, help and off" {
	run_shim --separate-stderr SCTPEEL_MAX=x SCTPEEL_ON_ERROR=abort /bin/echo out
	assert_equal "$status" 78
	assert_output ''
	run_shim --separate-stderr SCTPEEL_MAX=x SCTPEEL_ON_ERROR=ignore /bin/echo out
	assert_output out
	assert_equal "$stderr" ''
	run_shim --separate-stderr SCTPEEL_POLICY=help /bin/echo out
	assert_success
	assert_output ''
	[[ $stderr = *SCTPEEL_QUANTUM* ]]
	run_shim --separate-stderr SCTPEEL_MODE=off SCTPEEL_MAX=x /bin/echo out
	assert_output out
	assert_equal "$stderr" ''
	run_shim --separate-stderr SCTPEEL_PROGRAM='amf*' SCTPEEL_MAX=x /bin/echo out
	assert_output out
	assert_equal "$stderr" ''
}

# contract: G01
@test "under the shim: nothing is said in normal operation, no descriptor is added" {
	requires plain
	run_shim --separate-stderr ls /proc/self/fd
	assert_equal "$stderr" ''
	assert_output "$(ls /proc/self/fd)"
}

# contract: F07
@test "under the shim: a trace that cannot be opened, is full or has nobody reading" {
	run_shim --separate-stderr SCTPEEL_TRACE=/nowhere/trace /bin/echo out
	assert_success
	assert_output out
	[[ $stderr = 'sctpeel: SCTPEEL_TRACE: /nowhere/trace: No such file or directory'* ]]
	run_shim --separate-stderr SCTPEEL_TRACE=/dev/full /bin/echo out
	assert_output out
	assert_equal "$stderr" ''
	run_shim --separate-stderr SCTPEEL_TRACE=unix:/nowhere/socket /bin/echo out
	assert_output out
	assert_equal "$stderr" ''
}

@test "under the shim: start and stop of a program, each once" {
	run_shim SCTPEEL_TRACE="$PWD/trace-%n" /bin/echo out
	assert_output out
	run jq -r '[.event, .program] | join(" ")' trace-echo
	assert_output $'start echo\nstop echo'
	run jq -c 'select(.event == "start").argv' trace-echo
	assert_output '["/bin/echo","out"]'
}

@test "the fuzzer's seeds" {
	run -0 --separate-stderr "$BUILD/fuzz/settings_fuzz" "$TESTS"/fuzz/settings/*
	assert_equal "$stderr" '4 inputs'
}
