# The test programs of lksctp-tools as unmodified servers.
load oracle

setup() {
	requires sctp_test sctp_darn stdbuf
}

# printed NAME STREAMS COUNTS COMMAND: the tags that a server has printed, which COMMAND finds: of
# each peer and stream each once and in order. A tag is two hexadecimal digits of the peer, seven of
# the message, and messages go round-robin over the streams.
printed() {
	local name=$1 streams=$2 counts=$3
	shift 3
	assert_equal "$("$@" <"$(out_of "$name")" | awk -v streams="$streams" -v peers="$(wc -w <<<"$counts")" '
		function number(digits,    i, n) {
			for (i = 1; i <= length(digits); i++)
				n = n * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
			return n
		}
		{
			peer = substr($1, 1, 2)
			n = number(substr($1, 3))
			due = streams * seen[peer, n % streams]++ + n % streams
			if (n != due) {
				print "peer " peer ": message " n " instead of " due
				exit
			}
			count[peer]++
		}
		END {
			for (i = 0; i < peers; i++)
				printf "%s%d", (i ? " " : ""), count[sprintf("%02x", i)]
		}')" "$counts"
}

# What the peers of judge_twenty send: one is heavy, five are quiet.
counts_of_twenty() {
	local options m
	read -ra options < <(twenty "$1")
	m=${options[-1]}
	echo "$((21 * m)) $m $m $m $m $m $m $m $m $m $m $m $m $m $m 1 1 1 1 1"
}

tags_of_test() {
	sed -n 's/.*Data [0-9]* bytes\. First [0-9]* bytes: \([0-9a-f]\{9\}\).*/\1/p'
}

tags_of_darn() {
	sed -n 's/^DATA([0-9]*): *\([0-9a-f]\{9\}\).*/\1/p'
}

ended_associations() {
	[ "$(grep -c "$2" "$(out_of "$1")")" -eq "$3" ]
}

sctp_test_prints() {
	local name=test-$1
	start "$1" "$name" 5001 sctp_test -H 127.0.0.1 -P 5001 -l &&
		judge_twenty "$1" "$name" 5001 -e sink -s 100-1000 &&
		wait_until ended_associations "$name" 'ASSOC_CHANGE(SHUTDOWN_COMPLETE)' 20 &&
		printed "$name" 3 "$(counts_of_twenty "$1")" tags_of_test &&
		silent "$name" &&
		stop "$name"
}

sctp_test_selects() {
	local name=mixed-$1
	start "$1" "$name" 5011 sctp_test -H 127.0.0.1 -P 5010 -L 2 -S 0 &&
		judge_twenty "$1" "$name" 5010 -e sink &&
		judge_twenty "$1" "$name" 5011 -e sink -S 2 &&
		silent "$name" &&
		stop "$name"
}

darn_echoes() {
	local name=darn-$1
	start "$1" "$name" 5002 stdbuf -oL sctp_darn -H 127.0.0.1 -P 5002 -l -e &&
		judge_twenty "$1" "$name" 5002 -e data -s 100-3000 &&
		wait_until ended_associations "$name" 'ASSOC_CHANGE - SHUTDOWN_COMP' 20 &&
		printed "$name" 3 "$(counts_of_twenty "$1")" tags_of_darn &&
		silent "$name" &&
		stop "$name"
}

# Two endpoints in one process, non-blocking and select() or poll().
darn_polls() {
	local way=$1 name=$2-$1 port=$3
	shift 3
	start "$way" "$name" "$((port + 1))" stdbuf -oL sctp_darn -H 127.0.0.1 -P "$port" -i 2 "$@" &&
		judge_twenty "$way" "$name" "$port" -e sink &&
		judge_twenty "$way" "$name" "$((port + 1))" -e sink &&
		wait_until ended_associations "$name" 'ASSOC_CHANGE - SHUTDOWN_COMP' 40 &&
		silent "$name" &&
		stop "$name"
}

darn_selects() {
	darn_polls "$1" select 5003 -n
}

darn_uses_poll() {
	darn_polls "$1" poll 5005 --use-poll
}

# For sh -c, with the file to read and the options of sctp_darn.
# shellcheck disable=SC2016
reading='exec sctp_darn "$@" <"$0"'

# Told "rcv" on standard input each time, it waits for a message.
darn_is_told() {
	local name=told-$1 commands=$BATS_TEST_TMPDIR/commands-$1
	mkfifo "$commands" && spawn "teller-$name" tell "$commands" &&
		start "$1" "$name" 5007 stdbuf -oL sh -c "$reading" "$commands" \
			-H 127.0.0.1 -P 5007 -l -I &&
		judge_twenty "$1" "$name" 5007 -e sink -s 100-1000 &&
		wait_until ended_associations "$name" 'ASSOC_CHANGE - SHUTDOWN_COMP' 20 &&
		printed "$name" 3 "$(counts_of_twenty "$1")" tags_of_darn &&
		silent "$name" &&
		stop "$name"
}

tell() {
	while printf 'rcv\n%.0s' {1..50}; do
		pause 0.01
	done >"$1"
}

@test "sctp_test -l prints every message of twenty peers, one heavy" {
	in_the_field sctp_test_prints
}

@test "sctp_test -L 2 selects on two endpoints" {
	in_the_field sctp_test_selects
}

@test "sctp_darn -l -e echoes to twenty peers, one heavy" {
	in_the_field darn_echoes
}

@test "sctp_darn -i 2 -n: two non-blocking endpoints with select" {
	in_the_field darn_selects
}

@test "sctp_darn -i 2 --use-poll: two endpoints with poll" {
	in_the_field darn_uses_poll
}

@test "sctp_darn -l -I is told to wait for each message" {
	in_the_field darn_is_told
}
