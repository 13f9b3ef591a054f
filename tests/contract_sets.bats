# shellcheck disable=SC2034 # PRELOAD is helper.bash's
# Rows W01 to W05 and P01 of the transparency contract: poll, select and epoll sets at their margins.
# seconds a test: 5
load contract

# behind NAME: the preload that stands behind the library for one test.
behind() {
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/$1.so" "$TESTS/preloads/$1.c"
	PRELOAD=$SHIM:$BATS_TEST_TMPDIR/$1.so
}

# contract: W01
@test "poll with as many entries as there may be numbers, most of them unused" {
	contract 1 sets w01-all-entries
}

# contract: W01
@test "select up to the limit of numbers reads nothing behind its sets" {
	contract 2 sets w01-as-many-as-can-be
}

# contract: W01
@test "select of more descriptors than an fd_set has room for" {
	contract 1 sets w01-more-than-fit
}

# contract: W01
@test "select of a number that is far above all others" {
	contract 1 sets w01-far-up
}

# contract: W01
@test "a poll that a signal interrupts tells of nothing" {
	contract 2 sets w01-interrupted-set
}

# contract: W02 T01
@test "an epoll set gets the number of a socket that another thread closes" {
	requires plain
	behind slow_return
	contract 1 sets w02-number-of-closed
}

# contract: W02 T01
@test "a socket that is taken out of the set while a thread waits tells of its own data only" {
	requires plain
	behind slow_return
	contract 1 sets w02-taken-out
}

# contract: W02 W03
@test "epoll_wait sleeps on after a quiet end where the kernel has no epoll_pwait2" {
	requires plain
	behind no_pwait2
	contract 2 sets w02-quiet-end-in-time
}

# contract: W02
@test "epoll_pwait2 refuses times that are none" {
	contract 1 sets w02-no-times
}

# held: W02 for what joins an epoll set when no descriptor number is left
# contract: W02
@test "a socket that joins a set when no number is left still wakes it each time" {
	contract 0 sets w02-joins-in-need
}

# contract: W02
@test "an epoll set is changed by its second number when the first is closed" {
	contract 2 sets w02-second-number
}

# contract: W02
@test "a socket is no epoll set, and goes on as it was" {
	contract 3 sets w02-no-set
}

# contract: W02
@test "one event for a socket that is ready behind many others" {
	contract 1 sets w02-behind-many
}

# contract: W03
@test "who slept in a set before it had a socket sleeps on when an association ends" {
	contract 2 sets w03-asleep-before-all
}

# contract: W04
@test "where there is room a send does not block" {
	contract 1 sets w04-room-is-room
}

# contract: W04
@test "a stalled socket is not writable when its first number is closed" {
	contract 2 sets w04-first-number-goes
}

# held: W05 from the moment when O_ASYNC is met
# contract: W05
@test "signals come by a socket that was given to the program" {
	requires plain # it makes the socket by a raw system call
	contract 0 sets w05-given
}

# contract: W05
@test "signals that are asked for later come for what is peeled off already" {
	contract 2 sets w05-after-the-peel
}

# contract: P01 W04
@test "a child has a stall of its own" {
	contract 1 sets p01-stall-of-the-child
}

# contract: P01 W04
@test "a stall outlives the process that it began in" {
	contract 1 sets p01-stall-outlives
}
