# The transparency contract, T: threads, signals, cancellation.
load contract

# contract: T01
@test "four threads receive, poll or epoll_wait, and answer, on one number" {
	contract 18 threads t01-serve
}

# contract: R06 T01
@test "what one of four threads is shown it takes, while the others poll and send" {
	contract 12 threads r06-threads
}

# contract: T01
@test "two threads send to all while two receive" {
	contract 6 threads t01-send
}

# contract: T02
@test "close and dup2 over the number while a thread sleeps in a receive" {
	contract 4 threads t02-close
}

# peels_slowly PEELS TEST: where the kernel is long about its answers.
peels_slowly() {
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/slow_peel.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/slow_peel.so" "$TESTS/preloads/slow_peel.c"
	contract "$1" threads "$2"
}

# contract: T02 N03
@test "a number is closed while what came on it is peeled off" {
	requires plain
	peels_slowly 2 t02-peel
}

# contract: T02
@test "sockets come and go while three threads use them" {
	contract 5 threads t02-churn
}

# contract: T03
@test "a blocking receive is interrupted or restarted as its handlers say" {
	contract 2 threads t03-receive
}

# contract: T03 S08
@test "a blocking send is interrupted or restarted as its handlers say" {
	contract 2 threads t03-send
}

# contract: T04
@test "a timer's handler receives, sends and polls at any moment" {
	contract 6 threads t04-handlers
}

# contract: T05
@test "a thread is cancelled in recvmsg, poll and epoll_wait: nothing is locked or left open" {
	requires plain # AddressSanitizer keeps the frames of a cancelled thread poisoned
	contract 3 threads t05-cancel
}

# contract: T05
@test "a thread that is cancelled already receives, sends, waits, connects and closes nothing" {
	requires plain
	contract 2 threads t05-pending
}

# contract: T05
@test "threads are cancelled anywhere: the others go on, and all that comes is received" {
	requires plain
	contract 5 threads t05-anywhere
}

# contract: T06
@test "fork while four threads are inside" {
	contract 3 threads t06-fork
}

# contract: T06
@test "fork while another thread peels off: the child has nothing of it that nobody knows" {
	requires plain
	peels_slowly 1 t06-peel
}
