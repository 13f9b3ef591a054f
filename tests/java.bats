# A Java server on com.sun.nio.sctp.SctpMultiChannel, unmodified.
# seconds a test: 60
load oracle

setup() {
	requires java
	[ -e "$PROGRAMS/MultiEcho.class" ] || skip 'needs javac when it is built'
}

# What starts quickest in a slow guest.
quick=(-Xshare:auto -XX:+UseSerialGC -XX:TieredStopAtLevel=1)

# java_echoes WAY PORT CLASS [LOOP]
java_echoes() {
	local name=java-$1
	start "$1" "$name" "$2" java "${quick[@]}" -cp "$PROGRAMS" "$3" "$2" "${@:4}" &&
		warm_up "$2" &&
		judge_twenty "$1" "$name" "$2" -s 100-2000 &&
		wait_until associations_reported "$name" &&
		silent "$name" || return
	stop "$name"
	# 128 + SIGTERM is how a JVM ends by a signal
	# shellcheck disable=SC2154  # stop sets it
	assert_equal "$stopped" 143
}

# The server says COMM_UP and SHUTDOWN for each association, and nothing unexpected.
associations_reported() {
	local log
	log=$(sed 's/ [0-9]*$//' "$(out_of "$1")" | sort | uniq -c | tr -s ' \n' ' ')
	[ "$log" = ' 21 COMM_UP 21 SHUTDOWN 1 ready ' ]
}

blocking() {
	java_echoes "$1" 5021 MultiEcho blocking
}

selector() {
	java_echoes "$1" 5022 MultiEcho selector
}

branching() {
	# shellcheck disable=SC2034  # for judge
	local by=program
	java_echoes "$1" 5023 MultiBranch
}

# The associations end when the channel is closed, and the server does by itself then.
closing() {
	local name=closing-$1 fifo=$BATS_TEST_TMPDIR/close-$1 during=$BATS_TEST_TMPDIR/assocs
	mkfifo "$fifo" &&
		start "$1" "$name" 5024 java "${quick[@]}" -cp "$PROGRAMS" MultiEcho 5024 "$2" "$fifo" &&
		twenty_peers "$1" 5024 -c -x "cat /proc/net/sctp/assocs >$during; echo >$fifo" &&
		finish "$name" &&
		peels_are "$1" "$name" 5024 20 -q 5 &&
		[[ $(<"$(out_of "$name")") = *closed ]] &&
		no_association 5024 &&
		silent "$name"
}

closing_blocked() {
	closing "$1" blocking
}

@test "Java, blocking: echoes to twenty peers, one heavy" {
	in_the_field blocking
}

@test "Java, selector: echoes to twenty peers, one heavy" {
	in_the_field selector
}

@test "Java branches each association off: echoes to twenty peers, one heavy" {
	in_the_field branching
}

@test "Java closes the channel in another thread while one is blocked in receive" {
	in_the_field closing_blocked
}
