# shellcheck shell=bash disable=SC2154,SC2016  # $output, $stderr and $lines are bats'; awk's $0
# guest: no
# What the shim says of itself: records in three formats, and sinks that may fail in any way.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	DRIVER=$BUILD/unit/events_driver
	export SCTPEEL_TRACE=$PWD/trace
	unset SCTPEEL_TRACE_EVENTS SCTPEEL_TRACE_FORMAT SCTPEEL_TRACE_LIMIT SCTPEEL_INJECT
}

# Every number of the sequence is in a line or was told as lost, for each process.
account() {
	jq -s -e 'group_by(.pid) | all(
		(map(.seq) | unique | length) as $lines
		| length == $lines and
		  $lines + (map(.dropped // 0) | add) == (map(.seq) | max) + 1)' "$@"
}

lost_in() {
	jq -s 'map(.dropped // 0) | add' "$@"
}

decisions_in() {
	jq -s 'map(select(.event == "decision")) | length' "$@"
}

@test "a decision in JSON: every name and value as documented" {
	"$DRIVER" emit:13
	run jq -S -c 'select(.event == "decision" and .seq == 13)
		| del(.ts, .mono_ns, .pid, .tid, ."policy.hash")' trace
	assert_output "$(jq -S -c . <<-'JSON'
		{"v":1,"seq":13,"event":"decision","program":"events_driver","socket.fd":7,
		"sctp.assoc.id":12,"sctp.stream.id":0,"sctp.ppid":60,"network.transport":"sctp",
		"network.local.address":"2001:db8::1:0:0:42","network.local.port":38412,
		"network.peer.address":"192.0.2.7","network.peer.port":9487,
		"rule":"bulk","rule.index":2,"mode":"enforce","verdict":"peel",
		"reason":"rate(5s)=12582912 > 10485760 for 3.2s",
		"input":{"bytes":73400320,"msgs":7310,"age_ns":5100000000,"assocs":9,"peeled":2}}
	JSON
	)"
	run jq -r 'select(.seq == 13) | [."policy.hash", .pid == .tid, .ts] | @text' trace
	assert_output --regexp '^\["[0-9a-f]{8}",true,"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{9}Z"\]$'
}

@test "the order of names is as documented" {
	SCTPEEL_TRACE_EVENTS=all "$DRIVER" kinds
	run jq -r 'select(.event == "peel") | keys_unsorted | join(" ")' trace
	assert_output 'v ts mono_ns seq event pid tid program socket.fd sctp.assoc.id sctp.stream.id sctp.ppid network.transport network.local.address network.local.port network.peer.address network.peer.port policy.hash rule rule.index mode verdict reason state by detail bytes flags input effect'
}

@test "each kind of event: JSON" {
	SCTPEEL_TRACE_EVENTS=all "$DRIVER" kinds message:100 message:23
	run jq -r .event trace
	assert_output "$(printf '%s\n' start assoc decision peel error msg call stop)"
	run jq -c 'select(.event == "peel") | [.by, .effect]' trace
	assert_output '["program",{"fd":1019,"flags":["CLOEXEC"],"errno":0,"latency_ns":15400,"queued":3}]'
	run jq -c 'select(.event == "assoc") | .state' trace
	assert_output '"up"'
	run jq -c 'select(.event == "error") | .detail' trace
	assert_output '"could not open the hub"'
	run jq -c 'select(.event == "msg") | [.bytes, .flags]' trace
	assert_output '[1400,5]'
	run jq -c 'select(.event == "call") | [.call, .state]' trace
	assert_output '["sendmsg",null]'
	run jq -c 'select(.event == "stop") | .totals' trace
	assert_output '{"messages":2,"bytes":123,"peels":0,"refused":0,"decisions":1,"dropped":0}'
	run jq -c 'select(.event == "start") | [.version, .argv[1:], .config.SCTPEEL_TRACE_EVENTS.from, .config.SCTPEEL_MODE]' trace
	assert_output "[\"$(sctpeel --version | cut -d ' ' -f 2)\","'["kinds","message:100","message:23"],"env",{"value":"enforce","from":"default"}]'
}

@test "logfmt has the same names and values as JSON" {
	SCTPEEL_TRACE_EVENTS=all SCTPEEL_TRACE_FORMAT=logfmt "$DRIVER" kinds
	rm -f json && SCTPEEL_TRACE=$PWD/json SCTPEEL_TRACE_EVENTS=all "$DRIVER" kinds
	local kind
	for kind in assoc decision peel error msg call stop; do
		# The same object, flattened and quoted as logfmt does, without what differs by run.
		jq -r --arg kind "$kind" 'select(.event == $kind)
			| [paths(type != "object" and type != "array") as $p
				| {($p | map(strings) | join(".")): getpath($p)}]
			| map(to_entries[0]
				| .value |= (tostring | if test("[ =]") then tojson else . end)
				| "\(.key)=\(.value)") | join(" ")' json >want
		grep " event=$kind " trace >have
		sed -i -E 's/(^| )(ts|mono_ns|pid|tid)=[^ ]*//g' want have
		diff -u want have
	done
}

@test "text: one line each, as strace writes" {
	SCTPEEL_TRACE_EVENTS=all SCTPEEL_TRACE_FORMAT=text "$DRIVER" kinds
	local head='^20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}Z events_driver\[[0-9]+\] '
	local subject='\(7, assoc 12, stream 0, ppid 60, 192\.0\.2\.7:9487, local \[2001:db8::1:0:0:42\]:38412\)'
	run cat trace
	assert_equal "${#lines[@]}" 8
	assert_line -n 0 --regexp "${head}start\\(sctpeel 0\\.1\\.0\\) argv \"[^\"]*/events_driver\" \"kinds\" SCTPEEL_TRACE="
	assert_line -n 1 --regexp "${head}assoc$subject = up "
	assert_line -n 2 --regexp "${head}decision$subject = .* peel by rule bulk #2: rate\\(5s\\)=12582912 > 10485760 for 3\\.2s"
	assert_line -n 2 --partial '[bytes 73400320, msgs 7310, age 5.1s, assocs 9, peeled 2]'
	assert_line -n 3 --regexp "${head}peel$subject = .*= 1019 CLOEXEC <15\\.4us> 3 bytes waiting"
	assert_line -n 4 --regexp "${head}error$subject .*: could not open the hub"
	assert_line -n 5 --regexp "${head}msg$subject .*= 1400 bytes flags 0x5"
	assert_line -n 6 --regexp "${head}sendmsg$subject "
	assert_line -n 7 --regexp "${head}stop\\(\\) = 0 messages, 0 bytes, 0 peels, 0 refused, 1 decisions, 0 events lost\$"
}

@test "what is unset is left out" {
	"$DRIVER" unset
	run jq -c 'select(.event == "error") | keys' trace
	assert_output '["event","mono_ns","pid","program","seq","tid","ts","v"]'
}

@test "only the events that were asked for" {
	SCTPEEL_TRACE_EVENTS='peel, ERROR' "$DRIVER" kinds
	run jq -r .event trace
	assert_output $'peel\nerror'
	rm trace
	SCTPEEL_TRACE_EVENTS='!start,!stop,!decision' "$DRIVER" kinds
	run jq -r .event trace
	assert_output $'assoc\npeel\nerror'
	rm trace
	SCTPEEL_TRACE_EVENTS='all,!msg,!start' "$DRIVER" kinds
	run jq -r .event trace
	assert_output $'assoc\ndecision\npeel\nerror\ncall\nstop'
}

hostile=(
	'plain' '' ' ' '"' $'\\' $'\\\\"' 'a=b c' $'\n' $'\r\n\t\b\f' $'\001\037\177' $'\e[2J\e]0;x\a'
	$'\302\205\302\233' 'grüße' '€' '😀' $'\342\200\250' "it's" '{"a":1}' '%s%n' '‮'
)
broken=($'\377' $'a\200b' $'\300\257' $'\355\240\200' $'\364\220\200\200' $'\342\202' $'\360\237\230' $'x\303')

@test "hostile strings come back unchanged from JSON" {
	local text
	for text in "${hostile[@]}"; do
		rm -f trace
		"$DRIVER" "text:$text"
		[ "$(wc -l <trace)" -eq 3 ]
		run jq -e --arg text "$text" 'select(.event == "error")
			| [.rule, .verdict, .reason, .state, .by, .detail] | all(. == $text)' trace
		assert_output true
	done
}

@test "what is not UTF-8 becomes U+FFFD, byte by byte, and the rest is kept" {
	local text
	for text in "${broken[@]}"; do
		rm -f trace
		"$DRIVER" "text:<$text>"
		[ "$(wc -l <trace)" -eq 3 ]
		iconv -f UTF-8 -t UTF-8 trace >/dev/null
		run jq -r 'select(.event == "error") | .rule' trace
		assert_output --regexp '^<[axb]?�+[axb]?>$|^<x�>$'
	done
}

@test "hostile strings cannot leave their line or move the cursor, in any format" {
	local text format
	for format in jsonl logfmt text; do
		for text in "${hostile[@]}" "${broken[@]}"; do
			rm -f trace
			SCTPEEL_TRACE_FORMAT=$format "$DRIVER" "text:$text"
			[ "$(wc -l <trace)" -eq 3 ]
			iconv -f UTF-8 -t UTF-8 trace >/dev/null
			run ! env LC_ALL=C grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' trace
		done
	done
}

@test "logfmt quotes what needs it" {
	SCTPEEL_TRACE_FORMAT=logfmt "$DRIVER" text:plain text: 'text:a b' 'text:a=b' 'text:"' 'text:€'
	run sed -n 's/.* rule=\(.*\) rule\.index.*/\1/p' trace
	assert_output "$(printf '%s\n' plain '""' '"a b"' '"a=b"' '"\""' '"€"')"
}

@test "the longest strings and largest numbers make whole lines of at most 4096 bytes" {
	local format
	for format in jsonl logfmt text; do
		rm -f trace
		SCTPEEL_TRACE_EVENTS=all SCTPEEL_TRACE_FORMAT=$format "$DRIVER" worst
		[ "$(wc -l <trace)" -eq 38 ]
		iconv -f UTF-8 -t UTF-8 trace >/dev/null
		run env LC_ALL=C awk 'length($0) + 1 > 4096' trace
		assert_output ''
	done
	rm trace
	SCTPEEL_TRACE_EVENTS=all "$DRIVER" worst
	run jq -s 'map(select(.reason)) | all(.reason | endswith("…"))' trace
	assert_output true
	for text in '"sctp.assoc.id":9223372036854775807' '"bytes":18446744073709551615' \
		'"latency_ns":18446744073709551615' '"queued":9223372036854775807' \
		'"flags":4294967295' '"errno":-2147483648' '"flags":["CLOEXEC","NONBLOCK"]'; do
		run grep -cF "$text" trace
		assert_output 36
	done
}

@test "a start event with a long argv and configuration is whole, too" {
	local long hostile quotes
	printf -v long '%01000d' 0
	hostile=${long//0/$'\001'} quotes=${long//0/\"}
	local argv=()
	for _ in {1..50}; do argv+=("sleep:0$hostile"); done
	SCTPEEL_POLICY="keep # $quotes$quotes" SCTPEEL_PROGRAM="*$(printf '%0600d' 0 | tr 0 '*')" \
		SCTPEEL_LIVE=$hostile SCTPEEL_STATS=$hostile.prom \
		SCTPEEL_INJECT="peel:delay=0001ns$(printf ',peel:delay=00000000000001ns%.0s' {1..14})" "$DRIVER" "${argv[@]}"
	run env LC_ALL=C awk 'length($0) + 1 > 4096' trace
	assert_output ''
	run jq -r 'select(.event == "start") | .argv[-1], (.config.SCTPEEL_POLICY.value | .[-1:]), (.config.SCTPEEL_LIVE.value | .[-1:])' trace
	assert_output $'…\n…\n…'
	rm trace
	SCTPEEL_TRACE_FORMAT=logfmt "$DRIVER" "${argv[@]}"
	SCTPEEL_TRACE_FORMAT=text "$DRIVER" "${argv[@]}"
	run env LC_ALL=C awk 'length($0) + 1 > 4096' trace
	assert_output ''
}

@test "dates are right in leap years, centuries and far away" {
	local seconds want=()
	for seconds in 0 68169600 951782399 951782400 1709164800 1709251199 4107542399 4107542400 \
		32503679999 253402300799; do
		want+=("$(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%S.123456789Z)")
		set -- "$@" "date:$seconds"
	done
	run env -u SCTPEEL_TRACE "$DRIVER" "$@"
	assert_output "$(printf '%s\n' "${want[@]}")"
}

@test "addresses: mapped IPv4 is plain, IPv6 is short and has no zone" {
	run env -u SCTPEEL_TRACE "$DRIVER" address:0.0.0.0 address:255.255.255.255 \
		address:::ffff:10.9.1.2 address::: address:::1 address:fe80::1 \
		address:2001:db8:0:0:1:0:0:1 address:1:0:2:0:3:0:4:0 address:FFFF:0:0:0:0:0:0:0
	assert_output "$(printf '%s\n' 0.0.0.0 255.255.255.255 10.9.1.2 :: ::1 fe80::1 \
		2001:db8::1:0:0:1 1:0:2:0:3:0:4:0 ffff::)"
}

# --- sinks -------------------------------------------------------------------------------------

@test "stderr, and nothing on stdout" {
	SCTPEEL_TRACE=stderr run --separate-stderr "$DRIVER" emit:2
	assert_success
	assert_output ''
	[ "$(jq -r .event <<<"$stderr" | paste -sd' ')" = 'start decision decision stop' ]
}

@test "fd:N takes the program's descriptor and leaves it open" {
	SCTPEEL_TRACE=fd:7 "$DRIVER" emit:2 7>lines
	[ "$(wc -l <lines)" -eq 4 ]
}

# contract: F03
@test "fd:N that is not open, or only for reading: said once, and never written to" {
	SCTPEEL_TRACE=fd:9 run --separate-stderr "$DRIVER" emit:2
	assert_success
	[[ $stderr = 'sctpeel: SCTPEEL_TRACE: fd:9: Bad file descriptor'* ]]
	SCTPEEL_TRACE=fd:0 run --separate-stderr "$DRIVER" emit:2 </dev/null
	assert_success
	[[ $stderr = *'fd:0: Bad file descriptor'* ]]
}

# contract: D05
@test "what the program opens on the number of a closed sink is never written to" {
	SCTPEEL_TRACE=fd:7 "$DRIVER" emit:1 reuse:7 emit:50 7>lines
	[ ! -s victim ]
	[ "$(wc -l <lines)" -eq 2 ]
	SCTPEEL_TRACE=stderr SCTPEEL_DEBUG=debug "$DRIVER" reuse:2 emit:50 say:hello 2>lines
	[ ! -s victim ]
}

# contract: F03
@test "a full pipe: no wait, exact count of what was lost" {
	mkfifo pipe tell
	exec 7<>pipe 8<>tell
	(SCTPEEL_TRACE=fd:7 timeout 30 "$DRIVER" emit:3000 fd:own line emit:1 <&8 >told 8>&- 3>&-) &
	local driver=$! # wait_until may start something, too
	wait_until test -s told
	dd if=pipe iflag=nonblock bs=1M count=1000 of=early status=none || true
	echo >&8
	wait "$driver"
	dd if=pipe iflag=nonblock bs=1M count=1000 of=late status=none || true
	exec 7>&- 8>&-
	cat early late >lines
	account lines
	[ "$(lost_in lines)" -gt 2000 ]
	[ "$(($(decisions_in lines) + $(lost_in lines)))" -eq 3001 ]
	run jq -r 'select(.event == "drop") | .errno' lines
	assert_line 11
}

# contract: F03
@test "pipes, terminals and sockets that nobody reads do not stop the program" {
	local kind
	for kind in pipe pty stream; do
		env -u SCTPEEL_TRACE timeout 30 "$DRIVER" "unread:$kind,3000" >lines
		tr -d '\r' <lines | jq -R -c 'fromjson? // empty' >whole
		[ "$(wc -l <whole)" -gt 5 ]
		# a pipe takes lines whole; what the others cut at their end is on a line of its own
		[ "$(grep -c . lines)" -le $(($(wc -l <whole) + ($([ $kind = pipe ] && echo 0 || echo 4)))) ]
	done
}

# contract: F03
@test "a pipe without a reader: no SIGPIPE" {
	env -u SCTPEEL_TRACE "$DRIVER" closed:100
}

# contract: F03
@test "the file size limit: no SIGXFSZ" {
	"$DRIVER" fsize:8000 emit:1 sleep:20 emit:100
	[ "$(stat -c %s trace)" -le 8000 ]
	head -n -1 trace | jq -e .event >/dev/null
	SCTPEEL_TRACE=stderr "$DRIVER" fsize:8000 emit:100 2>lines
	[ "$(stat -c %s lines)" -le 8000 ]
}

# contract: F03
@test "/dev/full: every event is lost, the program is not" {
	SCTPEEL_TRACE=/dev/full run --separate-stderr "$DRIVER" emit:100
	assert_success
	assert_output ''
	assert_equal "$stderr" ''
	SCTPEEL_TRACE=fd:7 run --separate-stderr "$DRIVER" emit:100 7>/dev/full
	assert_success
	assert_equal "$output$stderr" ''
}

# contract: F03
@test "what is lost is counted exactly and told with the first reason" {
	SCTPEEL_INJECT=trace:ENOSPC:after=3:times=5 "$DRIVER" emit:20
	account trace
	run jq -c 'select(.event == "drop") | [.dropped, .errno]' trace
	assert_output '[5,28]'
	run jq -c 'select(.event == "stop") | .totals' trace
	assert_output '{"messages":0,"bytes":0,"peels":0,"refused":0,"decisions":20,"dropped":5}'
	rm trace
	SCTPEEL_INJECT=trace:EIO:every=2 "$DRIVER" emit:50
	account trace
}

# contract: F03
@test "a disk that fills up and has room again: a cut line is ended, the rest is whole" {
	[ "$EUID" -eq 0 ] || skip 'needs root for a small file system'
	mkdir small
	unshare -m sh -c '
		mount -t tmpfs -o size=64k none small && head -c 40000 /dev/zero >small/filler &&
		{ (sleep 0.3; rm small/filler; echo; sleep 0.5) | SCTPEEL_TRACE=$PWD/small/trace "$0" emit:200 line emit:3; } &&
		cp small/trace trace' "$DRIVER"
	jq -R -c 'fromjson? // empty' trace >whole
	[ "$(($(wc -l <trace) - $(wc -l <whole)))" -le 1 ]
	account whole
	[ "$(lost_in whole)" -gt 50 ]
	run jq -r 'select(.event == "drop") | .errno' whole
	assert_output 28
}

# contract: F03
@test "a datagram receiver that comes, goes, and comes again" {
	export SCTPEEL_TRACE=unix:$PWD/socket
	run --separate-stderr "$DRIVER" emit:5 bind:socket emit:1 sleep:1050 emit:2 drain \
		unbind:socket emit:3 sleep:1050 bind:socket sleep:1050 emit:4 drain
	assert_success
	assert_equal "$stderr" ''
	echo "$output" >lines
	run jq -c '[.seq, .event, .dropped, .errno]' lines
	assert_line -n 0 '[7,"drop",7,2]'
	assert_line -n 1 '[8,"decision",null,null]'
	assert_line -n 2 '[9,"decision",null,null]'
	assert_line -n 3 --partial '"drop"'
	assert_equal "${#lines[@]}" 8
	# the last, `stop`, went to nobody
	account lines
}

# contract: F03
@test "a datagram receiver that does not read" {
	SCTPEEL_TRACE=unix:$PWD/socket "$DRIVER" bind:socket sleep:1050 emit:3000 drain emit:1 drain >lines
	account lines
	[ "$(lost_in lines)" -gt 100 ]
}

@test "a receiver with an abstract name, or a relative path and a chdir" {
	mkdir elsewhere
	SCTPEEL_TRACE=unix:socket "$DRIVER" chdir:elsewhere bind:../socket sleep:1050 emit:1 drain >lines
	[ "$(decisions_in lines)" -eq 1 ]
	rm socket
	SCTPEEL_TRACE=unix:@sctpeel-test-$$ SCTPEEL_DEBUG=info run --separate-stderr "$DRIVER" emit:1
	assert_success
	[[ $stderr = *'Connection refused'* ]]
}

# contract: F03 F07
@test "a file that cannot be opened: said once with the cause, the program and the peels go on" {
	SCTPEEL_TRACE=$PWD/none/trace run --separate-stderr "$DRIVER" emit:3 settings
	assert_success
	[ "$(jq .passive <<<"$output")" = false ]
	[ "$(grep -c ^sctpeel: <<<"$stderr")" -eq 1 ]
	[[ $stderr = "sctpeel: SCTPEEL_TRACE: $PWD/none/trace: No such file or directory"* ]]
	SCTPEEL_TRACE=$PWD/none/trace SCTPEEL_ON_ERROR=ignore run --separate-stderr "$DRIVER" emit:3
	assert_equal "$stderr" ''
	SCTPEEL_TRACE=$PWD/none/trace SCTPEEL_ON_ERROR=abort run --separate-stderr "$DRIVER" settings
	assert_equal "$status" 78
	assert_output ''
	SCTPEEL_TRACE=/proc/version/trace run --separate-stderr "$DRIVER" emit:1
	assert_success
	[[ $stderr = *'Not a directory'* ]]
}

# contract: F03
@test "a file that can be opened later is, and the lost events are told" {
	SCTPEEL_TRACE=$PWD/later/trace "$DRIVER" emit:3 mkdir:later sleep:1050 emit:1 2>/dev/null
	run jq -c '[.seq, .event, .dropped, .errno]' later/trace
	assert_line -n 0 '[4,"drop",4,2]'
	account later/trace
}

@test "links are not followed, folders are no files" {
	echo precious >target
	ln -s target trace
	run --separate-stderr "$DRIVER" emit:3
	assert_success
	[[ $stderr = *'links are not followed'* ]]
	assert_equal "$(<target)" precious
	rm trace && mkdir trace
	run --separate-stderr "$DRIVER" emit:3
	assert_success
	[[ $stderr = *'Is a directory'* ]]
}

@test "a file with a second name, or of another user, is not written to" {
	echo precious >target
	ln target trace
	run --separate-stderr "$DRIVER" emit:3
	assert_success
	[[ $stderr = *'a second name (a hard link)'* ]]
	assert_equal "$(<target)" precious
	[ "$EUID" -eq 0 ] || return 0
	rm trace
	echo waiting >trace
	chown 65534 trace
	chmod 666 trace
	run --separate-stderr "$DRIVER" emit:3
	assert_success
	[[ $stderr = *"another user's"* ]]
	assert_equal "$(<trace)" waiting
}

@test "a FIFO is no trap, with a reader or without" {
	mkfifo trace
	run --separate-stderr timeout 10 "$DRIVER" emit:3
	assert_success
	assert_equal "$stderr" ''
	cat trace >lines 3>&- &
	local reader=$!
	wait_until -t 5 sh -c 'SCTPEEL_TRACE=trace timeout 10 "$0" emit:3 && test -s lines' "$DRIVER"
	wait "$reader"
	head -n 1 lines | jq -e '.event == "start"'
}

@test "only the user may read the file" {
	(umask 0 && "$DRIVER" emit:1)
	[ "$(stat -c %a trace)" = 600 ]
}

@test "%p %n %h %t %% in the path, and no slash from them" {
	SCTPEEL_TRACE="$PWD/%n-%h-%p-%t-100%%.log" "$DRIVER" emit:1
	local file now
	file=$(echo events_driver-*)
	now=$(date +%s)
	[[ $file =~ ^events_driver-$(uname -n | tr / _)-([0-9]+)-([0-9]+)-100%\.log$ ]]
	[ $((now - BASH_REMATCH[2])) -le 30 ]
	[ "$(jq -s '.[0].pid' "$file")" = "${BASH_REMATCH[1]}" ]
	(exec -a 'x/..' "$DRIVER" emit:1) && cd . || true
	[ -z "$(find . -name '.*' ! -name .)" ]
}

@test "a relative path is where the program was started" {
	mkdir elsewhere
	SCTPEEL_TRACE=rel-%p SCTPEEL_TRACE_LIMIT=4096 "$DRIVER" chdir:elsewhere fork:emit:2 emit:20
	[ -z "$(ls elsewhere)" ]
	[ "$(find . -name 'rel-*' ! -name '*.1' | wc -l)" -eq 2 ]
}

@test "rotation: once to .1, both within the limit, whole lines, nothing lost" {
	SCTPEEL_TRACE_LIMIT=16K "$DRIVER" emit:50
	[ "$(find . -name 'trace*' | wc -l)" -eq 2 ]
	local file
	for file in trace trace.1; do
		[ "$(stat -c %s "$file")" -le 16384 ]
		[ "$(stat -c %a "$file")" = 600 ]
	done
	account trace.1 trace
	SCTPEEL_TRACE_LIMIT=16K "$DRIVER" emit:500
	[ "$(find . -name 'trace*' | wc -l)" -eq 2 ]
	[ "$(stat -c %s trace.1)" -le 16384 ]
	jq -s -e 'map(.seq) | . == [range(.[0]; .[0] + length)]' trace.1 trace
}

@test "inf: no rotation" {
	SCTPEEL_TRACE_LIMIT=inf "$DRIVER" emit:1000
	[ ! -e trace.1 ]
}

# contract: F03
@test "rotation that cannot be: the limit holds, the loss is counted" {
	mkdir trace.1
	touch trace.1/in-the-way
	SCTPEEL_TRACE_LIMIT=16K "$DRIVER" emit:200
	[ "$(stat -c %s trace)" -le 16384 ]
	jq -e .event trace >/dev/null
}

@test "processes that share a file rotate it once, not one after the other" {
	SCTPEEL_TRACE_LIMIT=256K SCTPEEL_TRACE_EVENTS=decision "$DRIVER" burst:4,2,80
	# 640 lines are more than one file and less than two
	[ "$(find . -name 'trace*' | wc -l)" -eq 2 ]
	[ "$(decisions_in trace.1 trace)" -eq 640 ]
}

@test "rotation under many threads and processes loses and cuts nothing but whole old files" {
	SCTPEEL_TRACE_LIMIT=64K "$DRIVER" burst:4,8,200
	jq -e .event trace trace.1 >/dev/null
}

@test "a file that was deleted is made again" {
	mkfifo tell
	exec 8<>tell
	("$DRIVER" emit:1 fd:own line sleep:20 emit:1 <&8 >told 8>&- 3>&-) &
	local driver=$! # wait_until may start something, too
	wait_until test -s told
	rm trace
	echo >&8
	wait "$driver"
	exec 8>&-
	run jq -r .event trace
	assert_output $'decision\nstop'
}

# contract: P05
@test "8 threads in each of 4 processes: whole lines, gapless sequences" {
	SCTPEEL_TRACE_LIMIT=inf "$DRIVER" burst:4,8,1000
	account trace
	run jq -s -c 'map(select(.event == "decision")) | group_by(.pid) | map(length)' trace
	assert_output '[8000,8000,8000,8000]'
	run jq -s 'map(select(.event == "decision") | [.pid, .tid]) | unique | length' trace
	assert_output 32
}

@test "a fork child has its own pid, sequence, totals and, with %p, file" {
	SCTPEEL_TRACE=$PWD/trace "$DRIVER" emit:2 message:5 fork:emit:3 emit:1
	account trace
	run jq -s -c 'group_by(.pid) | map(map(.event)) | sort_by(length)' trace
	assert_output '[["decision","decision","decision","stop"],["start","decision","decision","decision","stop"]]'
	run jq -s -c 'map(select(.event == "stop").totals.messages) | sort' trace
	assert_output '[0,1]'
	SCTPEEL_TRACE=$PWD/own-%p "$DRIVER" emit:2 fork:emit:3 fork:sleep:0
	# the child that did nothing left no file
	[ "$(find . -name 'own-*' | wc -l)" -eq 2 ]
	for file in own-*; do
		[ "$(jq -s -c 'map(.pid) | unique' "$file")" = "[${file#own-}]" ]
		account "$file"
	done
}

# contract: D03
@test "the sink's descriptor is high, gives way, and no number of the program changes" {
	run "$DRIVER" fd:own
	[ "$output" -ge 512 ]
	run "$DRIVER" fd:own take:own fd:own emit:5
	[ "${lines[0]}" -ne "${lines[1]}" ]
	[ "$(decisions_in trace)" -eq 5 ]
	# with 0, 1 and 2 closed it is none of them
	"$DRIVER" emit:1 0<&- 1>&- 2>&-
	(ulimit -n 8 && "$DRIVER" fd:own >low 3>&-)
	[ "$(<low)" -ge 4 ]
	rm trace
	(ulimit -n 3 && "$DRIVER" emit:3 3>&- 2>/dev/null) || true
}

# contract: D05
@test "a sink's number that was closed behind our back is left alone" {
	"$DRIVER" emit:1 steal:own sleep:20 emit:5
	[ ! -s victim ]
	account trace
	[ "$(decisions_in trace)" -eq 6 ]
}

# contract: T04
@test "signal handlers that emit while they interrupt an emit" {
	SCTPEEL_TRACE_LIMIT=64K run "$DRIVER" signals:5000
	assert_success
	jq -e .event trace trace.1 >/dev/null
	rm trace trace.1
	SCTPEEL_TRACE_LIMIT=inf run "$DRIVER" signals:5000
	account trace
	[ "$(decisions_in trace)" -eq "$output" ]
}

# contract: T05
@test "a thread that is cancelled while it emits leaves nothing half done" {
	# the sanitizer's own end of thread trips over the frames that the cancellation left
	ASAN_OPTIONS=${ASAN_OPTIONS-}:use_sigaltstack=0 "$DRIVER" cancel
	account trace
}

@test "errno is kept" {
	"$DRIVER" errno
	SCTPEEL_TRACE=/dev/full "$DRIVER" errno
	SCTPEEL_TRACE=unix:none "$DRIVER" errno
}

@test "no sink, no event: nothing is opened" {
	env -u SCTPEEL_TRACE "$DRIVER" kinds fd:own >told
	assert_equal "$(<told)" -1
	SCTPEEL_MODE=off "$DRIVER" kinds
	[ ! -e trace ]
}
