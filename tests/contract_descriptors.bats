# Rows D01 to D04 and D07 of the transparency contract: numbers and what they stand for.
load contract

# contract: D01
@test "dup in all its forms: one socket, the last close ends it" {
	contract 40 descriptors d01-dups
}

# contract: D01
@test "dups of dups, closed in any order" {
	contract 2 descriptors d01-chain
}

# contract: D01
@test "something else put over the number" {
	contract 12 descriptors d01-overwritten
}

# contract: D01
@test "dups that fail" {
	contract 1 descriptors d01-errors
}

# contract: D02
@test "close ends all, gracefully or not" {
	contract 20 descriptors d02-close
}

# contract: D02
@test "close with something unread aborts" {
	contract 1 descriptors d02-unread
}

# contract: D02
@test "the port is free again" {
	contract 3 descriptors d02-port
}

# contract: D03
@test "the lowest free number, as without the shim" {
	contract 4 descriptors d03-lowest
}

# contract: D03
@test "a loop that closes all numbers closes none of ours" {
	contract 3 descriptors d03-close-all
}

# contract: D03
@test "a loop over /proc/self/fd closes none of ours" {
	contract 2 descriptors d03-close-listed
}

# contract: D03
@test "close_range and closefrom, with all flags" {
	contract 2 descriptors d03-ranges
}

# contract: D03
@test "numbers that the program does not have are EBADF to every call" {
	contract 3 descriptors d03-not-ours
}

# contract: D03
@test "files put onto every high number" {
	contract 5 descriptors d03-high-numbers SCTPEEL_FD_RESERVE=16
}

# contract: D03
@test "children that close everything close nothing of ours" {
	contract 2 descriptors d03-children
}

# contract: D03
@test "what an executed program finds open" {
	contract 2 descriptors d03-executed
}

# contract: D04
@test "O_NONBLOCK by fcntl and by ioctl, by any number" {
	contract 2 descriptors d04-nonblocking
}

# contract: D04
@test "SOCK_NONBLOCK from birth" {
	contract 2 descriptors d04-nonblocking-born
}

# contract: D04
@test "O_NONBLOCK for sends" {
	contract 1 descriptors d04-nonblocking-send
}

# contract: D04
@test "shutdown of a server" {
	contract 8 descriptors d04-shutdown
}

# contract: D04
@test "shutdown of a client" {
	contract 12 descriptors d04-shutdown-client
}

# contract: D04
@test "listen(fd, 0), and listening again" {
	contract 3 descriptors d04-listen
}

# contract: D04
@test "a client that listens later" {
	contract 3 descriptors d04-listen-late
}

# contract: D05
@test "closed as a stream or by a system call's number, all ends, and the number is another's" {
	contract 8 descriptors d05-unheard
}

# contract: D07
@test "few numbers: what cannot be peeled is held, and no association suffers" {
	contract 1 descriptors d07-few-numbers SCTPEEL_FD_RESERVE=64
	run events "$BATS_TEST_TMPDIR/trace" '"event":"decision"' '"verdict":"hold"'
	[ "$output" -gt 0 ]
}

# contract: D07
@test "few numbers, and a thread that uses them all up" {
	contract 0 descriptors d07-thread SCTPEEL_FD_RESERVE=64
}

# contract: D07
@test "all numbers are taken from one peel to the next" {
	contract 4 descriptors d07-all-taken SCTPEEL_FD_RESERVE=0
}
