# A Java server on com.sun.nio.sctp.SctpMultiChannel, unmodified.
load oracle

setup() {
	requires java
	[ -e "$PROGRAMS/MultiEcho.class" ] || skip 'needs javac when it is built'
}

# What starts quickest in a slow guest.
quick=(-Xshare:auto -XX:+UseSerialGC -XX:TieredStopAtLevel=1)

# java_echoes WAY PORT LOOP
java_echoes() {
	local name=java-$1
	start "$1" "$name" "$2" java "${quick[@]}" -cp "$PROGRAMS" MultiEcho "$2" "$3" &&
		warm_up "$2" &&
		judge "$1" "$name" "$2" 3 -m 50 -k 3 -s 100-2000 &&
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
	[ "$log" = ' 4 COMM_UP 4 SHUTDOWN 1 ready ' ]
}

blocking() {
	java_echoes "$1" 5021 blocking
}

selector() {
	java_echoes "$1" 5022 selector
}

@test "Java, blocking: echoes to three peers, one heavy" {
	natively_and_peeled blocking
}

@test "Java, selector: echoes to three peers, one heavy" {
	natively_and_peeled selector
}
