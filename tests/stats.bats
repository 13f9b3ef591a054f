# shellcheck shell=bash disable=SC2034,SC2154  # spawned is the helper's; $output, $stderr and $lines are bats'
# guest: no
# The statistics: what is in the file, when it is written, and who may read it.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}"
	mkdir out
	export SCTPEEL_STATS=$PWD/out/x.prom SCTPEEL_STATS_INTERVAL=100ms
	DRIVER=$BUILD/unit/live_driver
}

# The value of a sample, by its name and labels as they stand in the file.
value() {
	sed -nE "s/^$1 (.*)/\\1/p" "${2:-$SCTPEEL_STATS}"
}

only_file() {
	assert_equal "$(cd out && find . -type f | sort | paste -sd ' ')" "$1"
}

@test "every figure, with help and type, and nothing that promtool dislikes" {
	SCTPEEL_POLICY='keep if peer 10.0.0.0/8; bulk: peel' SCTPEEL_MODE=observe \
		"$DRIVER" receive:7 decide:-1 decide:1 decide:1 peel:1500000000 peel:250
	local program='program="live_driver"'
	assert_equal "$(value "sctpeel_received_messages_total\{$program\}")" 7
	assert_equal "$(value "sctpeel_received_bytes_total\{$program\}")" 700
	assert_equal "$(value "sctpeel_decisions_total\{$program,rule=\"\",verdict=\"hold\"\}")" 1
	assert_equal "$(value "sctpeel_decisions_total\{$program,rule=\"#1\",verdict=\"keep\"\}")" 0
	assert_equal "$(value "sctpeel_decisions_total\{$program,rule=\"bulk\",verdict=\"peel\"\}")" 2
	assert_equal "$(value "sctpeel_peels_total\{$program,result=\"done\"\}")" 2
	assert_equal "$(value "sctpeel_peels_total\{$program,result=\"refused\"\}")" 2
	assert_equal "$(value "sctpeel_peel_duration_seconds_sum\{$program\}")" 1.500000250
	assert_equal "$(value "sctpeel_peel_duration_seconds_count\{$program\}")" 2
	assert_equal "$(value "sctpeel_associations\{$program,place=\"peeled\"\}")" 2
	assert_equal "$(value "sctpeel_events_dropped_total\{$program\}")" 0
	grep -qE "^sctpeel_info\{$program,version=\"[0-9.]+\",mode=\"observe\",policy_hash=\"[0-9a-f]{8}\"\} 1\$" out/x.prom
	local started
	started=$(value "sctpeel_start_time_seconds\{$program\}")
	((${started%.*} >= EPOCHSECONDS - 60 && ${started%.*} <= EPOCHSECONDS))
	# each metric has its help and its type
	assert_equal "$(sed -nE 's/^(sctpeel_[a-z_]+)\{.*/\1/p' out/x.prom | sed -E 's/_(sum|count)$//' | sort -u)" \
		"$(sed -nE 's/^# HELP (sctpeel_[a-z_]+) .+/\1/p' out/x.prom | sort)"
	assert_equal "$(grep -c '^# TYPE ' out/x.prom)" "$(grep -c '^# HELP ' out/x.prom)"
	requires promtool
	run -0 promtool check metrics <out/x.prom
	assert_output ''
}

@test "a hostile program name and many rules" {
	local i policy='' name=$'a"b\\c\n\e[2J\377ü'
	for ((i = 0; i < 70; i++)); do
		policy+="rule$i: keep if msgs = $i;"
	done
	cp "$DRIVER" "$name"
	SCTPEEL_POLICY=$policy "./$name" decide:63 decide:64 decide:69
	assert_equal "$(grep -c 'verdict="hold"} 2$' out/x.prom)" 1
	grep -qE 'rule="others",verdict="hold"} 2$' out/x.prom
	grep -qE 'rule="rule63",verdict="hold"} 1$' out/x.prom
	run ! env LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' out/x.prom
	iconv -f UTF-8 -t UTF-8 out/x.prom >/dev/null
	requires promtool
	run -0 promtool check metrics <out/x.prom
}

@test "it is written when it is time, from calls of the program, and at the end" {
	mkfifo in
	exec {input}<>in
	"$DRIVER" receive:1 line receive:1 line tend line receive:5 <in >said 2>err 3>&- &
	spawned[it]=$!
	said() {
		[ "$(grep -c waits said)" -eq "$1" ]
	}
	wait_until said 1
	# the first one at once
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 1
	pause 0.15
	echo >&"$input"
	wait_until said 2
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 2
	rm out/x.prom
	pause 0.15
	echo >&"$input"
	wait_until said 3
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 2
	echo >&"$input"
	finish it
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 7
	only_file ./x.prom
	exec {input}>&-
}

@test "not more often than it was asked for" {
	SCTPEEL_STATS_INTERVAL=1h strace -f -e trace=rename,renameat,renameat2 -o calls "$DRIVER" receive:50000
	assert_equal "$(grep -c '^[0-9]* *rename' calls)" 2
}

@test "everybody may read it, whatever the umask; a link in its place is replaced" {
	echo precious >victim
	ln -s "$PWD/victim" out/x.prom
	(umask 077 && exec "$DRIVER" receive:1)
	assert_equal "$(stat -c '%a %F' out/x.prom)" '644 regular file'
	assert_equal "$(<victim)" precious
}

@test "a reader finds a whole file at any time" {
	local i
	"$DRIVER" receive:1
	SCTPEEL_STATS_INTERVAL=100ms "$DRIVER" receive:30000000 &
	spawned[it]=$!
	for ((i = 0; i < 300; i++)); do
		text=$(<out/x.prom)
		[[ $text = '# HELP sctpeel_info '*$'\nsctpeel_events_dropped_total{program="live_driver"} 0' ]]
	done
	stop it
}

@test "helper programs and children leave the file alone, unless each has its own" {
	"$DRIVER" receive:3 fork:receive:5
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 3
	# a child leaves it as the parent had it: after its first message
	SCTPEEL_STATS_INTERVAL=1h run "$DRIVER" receive:3 fork:receive:5 kill
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 1
	"$DRIVER" receive:3
	"$DRIVER" alone
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 3
	run_shim true
	assert_equal "$(value 'sctpeel_received_messages_total.*')" 3
	rm out/x.prom
	SCTPEEL_STATS="$PWD/out/%n-%p.prom" "$DRIVER" receive:3 fork:receive:5
	local file sums=()
	for file in out/live_driver-*.prom; do
		[[ $file =~ -([0-9]+)\.prom ]]
		sums+=("$(value "sctpeel_received_messages_total\{program=\"live_driver\",pid=\"${BASH_REMATCH[1]}\"\}" "$file")")
	done
	assert_equal "$(printf '%s\n' "${sums[@]}" | sort | paste -sd ' ')" '3 5'
}

@test "a file that cannot be written is told once, and nothing else happens" {
	export SCTPEEL_TRACE=$PWD/trace
	SCTPEEL_STATS=$PWD/no/x.prom run -0 --separate-stderr "$DRIVER" receive:1 receive:1 tend
	assert_equal "${#stderr_lines[@]}" 2
	assert_equal "${stderr_lines[0]}" "sctpeel: SCTPEEL_STATS: $PWD/no/x.prom: No such file or directory"
	run jq -c 'select(.event == "error") | [.detail, .effect.errno]' trace
	assert_output '["SCTPEEL_STATS: the statistics are not written",2]'
	unset SCTPEEL_TRACE
	mkdir -p out/folder.prom
	SCTPEEL_STATS=$PWD/out/folder.prom run -0 --separate-stderr "$DRIVER" receive:1
	[[ ${stderr_lines[0]} = *'folder.prom: Is a directory' ]]
	run -0 --separate-stderr bash -c "ulimit -f 1; exec $DRIVER receive:1"
	[[ ${stderr_lines[0]} = *': File too large' ]]
	# and nothing is left beside it
	assert_equal "$(find out -type f)" ''
}

@test "a name that means nothing is refused" {
	SCTPEEL_STATS=out/%x.prom run -0 --separate-stderr "$DRIVER"
	assert_equal "${stderr_lines[0]}" "sctpeel: SCTPEEL_STATS: 'out/%x.prom' has a '%' that means nothing"
}
