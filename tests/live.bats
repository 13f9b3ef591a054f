# shellcheck shell=bash disable=SC2012,SC2034,SC2154  # our names; $output, $stderr and $lines are bats'
# guest: no
# The live page: what a process leaves in SCTPEEL_LIVE, and what sctpeel top makes of it line by line.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}"
	mkdir live
	export SCTPEEL_LIVE=$PWD/live
	DRIVER=$BUILD/unit/live_driver
}

teardown() {
	exec {input}>&- || true
	clean_up
}

# A driver that has done its words and waits.
begin() {
	mkfifo "$1.in"
	exec {input}<>"$1.in"
	spawn "$1" "$DRIVER" "${@:2}" line <"$1.in"
	wait_for_line "$1" waits
}

# `spawn` gives no standard input: here the words themselves have to end in a sleep or a wait.
spawn() {
	local name=$1
	shift
	: >"$name.out"
	"$@" <"$name.in" >"$name.out" 2>"$name.err" 3>&- &
	spawned["$name"]=$!
}

top() {
	run -0 --separate-stderr sctpeel top -b -n 1 -i 10ms "$@"
}

@test "one file a process, for its owner alone, mapped and not open, gone at the end" {
	begin it show:3
	local page
	page=live/live_driver.$(pid_of it).live
	[ "$(echo live/*)" = "$page" ]
	assert_equal "$(stat -c %a "$page")" 600
	grep -q "$PWD/$page" "/proc/$(pid_of it)/maps"
	run ! sh -c "ls -l /proc/$(pid_of it)/fd | grep -F .live"
	echo >&"$input"
	finish it
	[ -z "$(ls live)" ]
}

@test "nothing is written when nobody asked, and no descriptor is taken" {
	SCTPEEL_LIVE='' "$DRIVER" show:3 count:5
	[ -z "$(ls live)" ]
}

@test "10,000 associations; an ended one's slot is the next one's" {
	begin it show:5000 forget:5000 show:10000 count:1
	top
	assert_line -n 0 --regexp '^1 process, 10000 associations, 5000 peeled, .*; enforce volume: '
	assert_equal "${#lines[@]}" 10002
	assert_line --regexp '^live_driver\[[0-9]+\] +7 +15000 10\.0\.58\.151:9999 +peeled .* 100 +1 .* keep bulk$'
	# 10,000 slots of 256 bytes and the header, and no more than a step behind them
	(($(du -k live/* | cut -f 1) < 2700))
}

@test "associations beyond the page are counted" {
	begin it show:33000
	top
	assert_line -n 0 --partial ', 32768 associations,'
	assert_line -n 0 --partial ', 232 more without a place'
	assert_equal "${#lines[@]}" 32770
	echo >&"$input"
	finish it
}

@test "a look sees each association whole while it is being written" {
	run -0 "$DRIVER" show:300 race:200
	assert_output 'seen, 0 torn'
}

@test "a fork child has a page of its own, once it has something to show" {
	begin it show:4 fork:show:1 fork:fork:line
	[ "$(ls live | wc -l)" -eq 1 ]
	top
	assert_line -n 0 --partial '1 process, 4 associations'
	echo >&"$input"
	rm -r live/* && mkdir child
	"$DRIVER" show:4 fork:count:1 fork:count:2
	run -0 "$DRIVER" show:2 fork:exec:show:5 <<<''
	assert_output waits
}

@test "messages in a fork child are seen there and not in the parent's page" {
	mkfifo child.in
	# the child's own associations are those that something came for
	"$DRIVER" show:3 count:1 'fork:work:4000' <child.in >/dev/null 2>&1 3>&- &
	spawned[it]=$!
	exec {input}<>child.in
	two_pages() {
		[ "$(ls live | wc -l)" -eq 2 ]
	}
	wait_until two_pages
	run -0 sctpeel top -b -n 1 -i 100ms
	assert_line -n 0 --partial '2 processes, 6 associations'
	run -0 sctpeel top -b -n 1 -i 100ms "$(pid_of it)"
	assert_line -n 0 --partial '1 process, 3 associations'
	assert_line -n 2 --regexp ' 0/s +0 +100 +1 '
}

@test "what a dead process left is not shown, and gives way to the next one of its pid" {
	run "$DRIVER" show:3 kill
	assert_equal "$status" 137
	[ "$(ls live | wc -l)" -eq 1 ]
	top
	assert_output --partial '0 processes, 0 associations'
	local page
	page=$(echo live/*)
	top "$(tr -dc 0-9 <<<"$page")"
	assert_line -n 0 --partial '1 process (ended, waiting for it to come again), 3 associations'
	assert_line -n 2 --partial ' ended '
	# nor what stands under the pid of a process that has not mapped it
	cp "$page" "live/other.$$.live"
	top
	assert_output --partial '0 processes, 0 associations'
	rm "live/other.$$.live"
	echo precious >victim
	run -0 bash -c "ln -s \$PWD/victim live/live_driver.\$\$.live; exec $DRIVER show:2 rubbish:0"
	assert_equal "$(<victim)" precious
	run -0 bash -c "echo old >live/live_driver.\$\$.live; exec $DRIVER show:2"
	assert_equal "$(ls live)" "${page#live/}"
}

@test "a page that cannot be had is told once, and nothing else changes" {
	SCTPEEL_LIVE=$PWD/no/such SCTPEEL_TRACE=$PWD/trace run -0 --separate-stderr "$DRIVER" show:3 count:2 fork:count:1
	assert_equal "${stderr_lines[0]}" "sctpeel: SCTPEEL_LIVE: $PWD/no/such: No such file or directory"
	run jq -c 'select(.event == "error") | [.detail, .effect.errno]' trace
	assert_line -n 0 '["SCTPEEL_LIVE: there is no live page",2]'
	# a limit on file sizes is no SIGXFSZ
	run -0 --separate-stderr "$DRIVER" fsize:10000 show:3
	run -0 --separate-stderr bash -c "ulimit -f 10; exec $DRIVER show:3 count:1"
	assert_equal "${stderr_lines[0]}" "sctpeel: SCTPEEL_LIVE: $PWD/live: File too large"
	[ -z "$(ls live)" ]
}

@test "a full file system costs slots, not the program" {
	requires unshare
	unshare -rm true 2>/dev/null || skip 'needs user and mount namespaces'
	run -0 --separate-stderr unshare -rm bash -c "mount -t tmpfs -o size=200k none live &&
		exec $DRIVER show:2000 count:3 forget:1000 show:900 fork:show:3"
	run -0 --separate-stderr unshare -rm bash -c "mount -t tmpfs -o size=200k none live &&
		mkfifo in waits; exec 5<>in 6<>waits; { $DRIVER show:2000 line <&5 >&6 & }
		read -r -n 1 <waits; sleep 0.1
		sctpeel top -b -n 1 -i 10ms | head -n 1; echo >&5; wait"
	[[ $output =~ ,\ ([0-9]+)\ associations,.*\ ([0-9]+)\ more\ without\ a\ place ]]
	assert_equal $((BASH_REMATCH[1] + BASH_REMATCH[2])) 2000
	run -0 --separate-stderr unshare -rm bash -c "mount -t tmpfs -o size=8k none live && exec $DRIVER show:20"
	[[ ${stderr_lines[0]} = *'live: No space left on device' ]]
}

@test "whatever stands in a page, top survives it and nothing reaches the terminal raw" {
	"$DRIVER" rubbish:40
	mkfifo live/fifo.77.live
	ln -s /dev/zero live/link.78.live
	mkdir live/folder.79.live
	: >live/empty.80.live
	head -c 3000 "live/x.5000000.live" >live/cut.81.live
	printf 'sctpeel\0\2\0\0\0' >live/later.82.live
	local pid
	for pid in 5000000 5000001 5000002 5000039; do
		top "$pid"
		assert_line -n 0 --partial '1 process (ended'
		[ "${#lines[@]}" -ge 16 ]
		run ! env LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output"
	done
	top
	assert_line -n 0 --partial '0 processes'
}

@test "the fuzzer's seeds: pages as top looks at them twice" {
	run -0 --separate-stderr "$BUILD/fuzz/live_fuzz" "$TESTS"/fuzz/live/*
	assert_equal "$stderr" '2 inputs'
}

@test "text of the program is escaped, long text is cut" {
	begin it show:1 "say:$(printf 'a\e[2J\001b%200s' '')"
	top
	assert_line -n 2 --partial 'keep a\x1b[2J\x01b'
}

@test "sorted by any column, reversed, filtered" {
	begin it show:12 forget:2 count:3
	local order
	for order in rate msgrate bytes msgs age idle peer state; do
		top -s "$order"
		assert_equal "${#lines[@]}" 12
	done
	top -s age
	assert_line -n 2 --partial ' 10.0.0.2:9999 '
	top -s peer
	assert_line -n 2 --partial ' 10.0.0.2:9999 '
	top -s peer -r
	assert_line -n 2 --partial ' 10.0.0.11:9999 '
	top -f PEELED
	assert_equal "${#lines[@]}" 7
	top -f 10.0.0.5:
	assert_equal "${#lines[@]}" 3
}

@test "a wrong command line says what is wrong" {
	local mistakes=('--sort rat:64:no column .rat. \(did you mean .rate.\?\)' '-n 0:64:no count'
		'-i 5:64:no time' 'x:64:no process id' '1 2:64:one process' '--what:64:unknown option'
		'-l:64:needs a value' '-l nowhere:66:nowhere: No such file' '-b 5000123:66:there is no process 5000123')
	local mistake arguments
	for mistake in "${mistakes[@]}"; do
		IFS=: read -r arguments code text <<<"$mistake"
		# shellcheck disable=SC2086  # several words
		run "-$code" --separate-stderr sctpeel top $arguments
		[[ ${stderr_lines[0]} =~ $text ]] || fail "$stderr"
	done
	run -64 --separate-stderr sctpeel top
	assert_equal "${stderr_lines[0]}" 'sctpeel top: this is not a terminal'
	unset SCTPEEL_LIVE
	run -64 --separate-stderr sctpeel top -b
	assert_equal "${stderr_lines[0]}" 'sctpeel top: which folder are the live pages in?'
}

@test "the probes are in the library" {
	grep -q '#define _SYS_SDT_H' /usr/include/*/sys/sdt.h /usr/include/sys/sdt.h 2>/dev/null ||
		skip 'needs <sys/sdt.h> when it is built'
	run readelf -nW "$SHIM"
	local probe
	for probe in decision peel assoc_down route; do
		assert_line --regexp "^ *Name: $probe\$"
	done
	assert_line --regexp 'Provider: sctpeel$'
}
