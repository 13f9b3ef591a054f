# Prefork servers of each style, unmodified: one socket, four workers.
# seconds a test: 25
load oracle

# Ends of associations reach workers one after the other.
steady_descriptors() {
	local before='' now same=0
	while [ "$same" -lt 3 ]; do
		now=$(all_descriptors "$1")
		[ "$now" = "$before" ] && same=$((same + 1)) || same=0
		before=$now
		sleep 0.1
	done
	echo "$now"
}

# Workers wait in the shim's own sets from their first message on.
has_all_warm() {
	for _ in 1 2 3; do
		"$PROGRAMS/peer" -n 8 -m 5 -w 1 127.0.0.1 "$1" || return
	done
	wait_until no_association "$1"
}

# One message of each association is under way at a time: else two workers answer out of order.
prefork() {
	# shellcheck disable=SC2034  # snapshot uses port
	local way=$1 style=$2 peers=$3 port=5400 name=$2-$1 pid before due during=$BATS_TEST_TMPDIR/assocs
	start "$way" "$name" 5400 "$PROGRAMS/echo_prefork" "$style" 5400 4
	pid=$(pid_of "$name")
	has_all_warm 5400 || return
	[ "$way" = native ] || before=$(steady_descriptors "$pid")
	"$PROGRAMS/peer" -n "$peers" -H 1 -f 5 -m 40 -w 1 -W 1 -k 3 \
		-x "$(snapshot "$(peels_due "$way" "$peers")")" 127.0.0.1 5400 || return
	wait_until no_association 5400 || return
	if [ "$way" != native ] && ! wait_until all_descriptors_are "$pid" "$before"; then
		echo "there were $before descriptors before the associations, now $(all_descriptors "$pid")"
		return 1
	fi
	due=$(peels_due "$way" "$peers")
	assert_equal "shared and peeled: $(styles 5400 "$during")" \
		"shared and peeled: $((peers - due)) $due" || return
	stop "$name"
	# each that sleeps in the receive has had something to do; who wins a wait is chance, natively too
	[ "$style" != block ] || assert_equal "$(awk '$1 > 0' "$(out_of "$name")" | wc -l)" 4 || return
	silent "$name"
}

by_way() {
	requires jq
	prefork native "$1" 12 || {
		echo "natively: the test itself is wrong"
		return 1
	}
	prefork shim "$1" 12
}

# contract: P02
@test "prefork: workers that sleep in a blocking receive" {
	by_way block
}

# contract: P02
@test "prefork: workers with a level-triggered epoll set each, on the blocking descriptor" {
	by_way epoll
}

# contract: P02
@test "prefork: workers with an exclusive entry in an epoll set each" {
	by_way exclusive
}

# contract: P02
@test "prefork: workers in select" {
	by_way select
}

# contract: P02
@test "prefork: workers on a socket that shares its port with others (SO_REUSEPORT)" {
	by_way reuse
}

# held: P02 while an epoll set that the socket is in is shared as well
# contract: P02
@test "prefork: workers in one epoll set that is older than they are: held" {
	local name=inherited
	requires jq
	start shim "$name" 5400 "$PROGRAMS/echo_prefork" inherited 5400 4
	"$PROGRAMS/peer" -n 12 -m 40 -w 1 127.0.0.1 5400
	wait_until no_association 5400
	stop "$name"
	assert_equal "$(jq -r 'select(.event == "decision") | .verdict + ": " + .reason' \
		"$(trace_of "$name")" | sort -u)" \
		'hold: shared with another process, and so is an epoll set that it is in'
}

# contract: P02
@test "prefork: four hundred associations come and go, and workers are killed in between" {
	# shellcheck disable=SC2034  # snapshot uses port
	local name=churn port=5400 pid round during=$BATS_TEST_TMPDIR/assocs
	requires jq
	start shim "$name" 5400 "$PROGRAMS/echo_prefork" block 5400 4
	pid=$(pid_of "$name")
	for round in {1..10}; do
		# while a peel is under way others are held, and only a message asks again
		"$PROGRAMS/peer" -n 40 -m 12 -w 1 -x "$(snapshot 40)" 127.0.0.1 5400
		wait_until no_association 5400
		assert_equal "round $round: $(styles 5400 "$during")" "round $round: 0 40"
		kill -9 "$(pgrep -P "$pid" | sed -n "$((round % 4 + 1))p")"
	done
	"$PROGRAMS/peer" -n 40 -m 5 -w 1 127.0.0.1 5400
	wait_until no_association 5400
	stop "$name"
	silent "$name"
}
