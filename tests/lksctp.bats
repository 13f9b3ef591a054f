# The test programs of lksctp-tools as unmodified servers.
# seconds a test: 70
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

# Told "rcv" on standard input each time. It waits in it or, with -n, gets EAGAIN and is told again.
darn_is_told() {
	local name=told$2-$1 commands=$BATS_TEST_TMPDIR/commands$2-$1
	mkfifo "$commands" && spawn "teller-$name" tell "$commands" &&
		start "$1" "$name" 5007 stdbuf -oL sh -c "$reading" "$commands" \
			-H 127.0.0.1 -P 5007 -l -I "${@:2}" &&
		"$PROGRAMS/peer" -e sink -n 2 -m 4 127.0.0.1 5007 && wait_until no_association 5007 &&
		judge_twenty "$1" "$name" 5007 -e sink -s 100-1000 &&
		wait_until ended_associations "$name" 'ASSOC_CHANGE - SHUTDOWN_COMP' 22 &&
		printed "$name" 3 "$(counts_of_twenty "$1")" tags_after_warming_up &&
		silent "$name" &&
		stop "$name"
}

tags_after_warming_up() {
	tags_of_darn | tail -n +9
}

tell() {
	while printf 'rcv\n%.0s' {1..50}; do
		pause 0.01
	done >"$1"
}

darn_waits_in_each() {
	darn_is_told "$1"
}

darn_tries_each() {
	darn_is_told "$1" -n
}

# Twenty of sctp_darn -s, each under the shim too, send to sctp_darn -l: clients_send WAY NAME FIRST LAST OPTION...
# Client I is told on standard input what `FIRST I COUNT` prints and, when the associations have been
# looked at, what LAST prints. Each ends with the length of its last message: 11.
clients_send() {
	local way=$1 name=$2-$1 port=5008 before i total=0 counts status base=$BATS_TEST_TMPDIR/$2-$1
	# shellcheck disable=SC2034  # for snapshot and peels_are
	local during=$BATS_TEST_TMPDIR/assocs
	read -ra counts < <(counts_of_twenty "$way")
	start "$way" "$name" "$port" stdbuf -oL sctp_darn -H 127.0.0.1 -P "$port" -l || return
	before=$(descriptors "$(pid_of "$name")")
	for i in "${!counts[@]}"; do
		total=$((total + counts[i]))
		mkfifo "$base.$i" && spawn "feeder$i-$name" feed "$base" "$i" "${counts[i]}" "$3" "$4" &&
			under "$way" "client$i-$name" sh -c "$reading" "$base.$i" \
				-H 127.0.0.1 -P $((5101 + i)) -p "$port" -s "${@:5}" || return
	done
	wait_until -t 600 has_data "$name" "$total" && bash -c "$(snapshot "$(peels_due "$way" 20 -q 5)")" || return
	: >"$base.looked"
	for i in "${!counts[@]}"; do
		status=0
		finish "client$i-$name" || status=$?
		assert_equal "$i ended with $status" "$i ended with 11" || return
		silent "client$i-$name" || return
	done
	wait_until no_association "$port" &&
		wait_until descriptors_are "$(pid_of "$name")" "$before" &&
		peels_are "$way" "$name" "$port" 20 -q 5 &&
		silent "$name" &&
		stop "$name"
}

feed() {
	{
		"$4" "$2" "$3"
		until [ -e "$1.looked" ]; do
			pause 0.05
		done
		"$5"
	} >"$1.$2"
}

has_data() {
	[ "$(grep -c '^DATA' "$(out_of "$1")")" -ge "$2" ]
}

# Lines, the last of them 11 bytes with its end and the NUL.
lines() {
	awk -v peer="$1" -v count="$2" 'BEGIN {
		for (n = 0; n < count; n++)
			printf "%02x%07x%*s\n", peer, n, (n < count - 1) * (n * 37 % 900), ""
	}'
}

darn_sends() {
	clients_send "$1" sends lines true -c 127.0.0.1 &&
		printed "sends-$1" 1 "$(counts_of_twenty "$1")" tags_of_darn &&
		ended_associations "sends-$1" 'ASSOC_CHANGE - SHUTDOWN_COMP' 20 &&
		! grep -l 'No association' "$BATS_TEST_TMPDIR"/client*-sends-"$1".out
}

# Client I sends messages of 100 + I bytes; the printable characters go round through all of them.
commands() {
	local n
	echo nodelay=1
	for ((n = 0; n < $2; n++)); do
		echo "snd=$((100 + $1))"
	done
}

questions() {
	printf '%s\n' stats nodelay primary heartbeat=127.0.0.1 shutdown snd=11 abort
}

darn_converses() {
	local i=0 count
	clients_send "$1" converses commands questions -I -h 127.0.0.1 &&
		assert_equal "$(rounds 100 119 <"$(out_of "converses-$1")")" "$(counts_of_twenty "$1")" &&
		ended_associations "converses-$1" 'ASSOC_CHANGE - SHUTDOWN_COMP' 20 &&
		ended_associations "converses-$1" 'ASSOC_CHANGE - COMM_LOST' 20 || return
	for count in $(counts_of_twenty "$1"); do
		assert_equal "$(said "client$i-converses-$1")" "sctp_darn ready to send...
Received SCTP_COMM_UP
New connection, peer addresses
127.0.0.1:5008
Ordered data chunks sent: $count
nodelay is 1.
127.0.0.1
Received SCTP_SHUTDOWN_COMP
Successfully SHUTDOWN the original association
Received SCTP_COMM_UP
New connection, peer addresses
127.0.0.1:5008
Received SCTP_COMM_LOST
Successfully ABORT the original association" || return
		i=$((i + 1))
	done
}

# What a client has printed, but the prompts and the statistics that vary.
said() {
	sed 's/.*Interactive mode> //' "$(out_of "$1")" |
		grep -Ev '^$|^(Retransmitted|Gap|TSN|SACKs|Control|Unordered|Ordered data chunks received|Dups|Packets|Maximum)'
}

# Counts the messages of each length from FIRST to LAST bytes, and sees that they are in order.
rounds() {
	awk -v first="$1" -v last="$2" '/^DATA\(/ {
		bytes = substr($0, 6) + 0
		due = sprintf("%c", 33 + n[bytes] * bytes % 94)
		if (bytes >= first && bytes <= last && substr($0, index($0, ":") + 3, 1) != due) {
			print "after " n[bytes] " messages of " bytes " bytes: " $0
			exit
		}
		n[bytes]++
	}
	END {
		for (bytes = first; bytes <= last; bytes++)
			printf "%s%d", (bytes > first ? " " : ""), n[bytes]
	}'
}

# Told a peer's address, sctp_darn -i sends as long as there is room (what it receives then it writes
# to memory that it has freed). Twenty do, half of them with select; number I messages of 100 + I bytes.
darn_floods() {
	local way=$1 name=flooded-$1 i poll sent=() arrived during=$BATS_TEST_TMPDIR/assocs
	start "$way" "$name" 5009 stdbuf -oL sctp_darn -H 127.0.0.1 -P 5009 -l || return
	for i in {0..19}; do
		poll=()
		((i % 2)) || poll=(--use-poll)
		under "$way" "flood$i-$way" sctp_darn -H 127.0.0.1 -P $((5201 + i)) -i 1 "${poll[@]}" \
			-h 127.0.0.1 -p 5009 -z $((100 + i)) || return
	done
	wait_until -t 600 has_data "$name" "$(messages "$way")" || return
	cat /proc/net/sctp/assocs >"$during"
	for i in {0..19}; do
		stop "flood$i-$way"
		assert_equal "$(grep -v '^sent a message' "$(err_of "flood$i-$way")")" '' || return
		sent+=("$(grep -c '^sent a message' "$(err_of "flood$i-$way")")")
	done
	wait_until -t 900 ended_associations "$name" 'ASSOC_CHANGE - SHUTDOWN_COMP' 20 &&
		peels_are "$way" "$name" 5009 20 || return
	read -ra arrived < <(rounds 100 119 <"$(out_of "$name")")
	for i in {0..19}; do
		# the last may have been sent and not been said any more
		assert_regex "${arrived[i]}" "^(${sent[i]}|$((sent[i] + 1)))\$" || return
	done
	silent "$name" && stop "$name"
}

# Sixty processes a way: where there are few messages one way will do.
crowded() {
	[ "$MESSAGES" -gt 500 ] || local WAYS=${WAYS:-all}
	in_the_field "$1"
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
	in_the_field darn_waits_in_each
}

@test "sctp_darn -l -I -n is told to try each message" {
	in_the_field darn_tries_each
}

@test "twenty of sctp_darn -s, one heavy, send lines to sctp_darn -l" {
	crowded darn_sends
}

@test "twenty of sctp_darn -s -I, one heavy, send, ask, shut down, begin anew and abort" {
	crowded darn_converses
}

@test "twenty of sctp_darn -i -h flood sctp_darn -l" {
	crowded darn_floods
}
