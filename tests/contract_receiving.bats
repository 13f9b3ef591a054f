# Rows R01 to R07 of the transparency contract: what a program receives, and how.
load contract

# contract: R01
@test "every receive call returns one message of any association" {
	contract 30 receive r01-calls
}

# contract: R01
@test "one receive call goes on where another began" {
	contract 3 receive r01-mixed
}

# contract: R01
@test "every receive call returns notifications, one a call" {
	contract 15 receive r01-notifications
}

# contract: R01
@test "the fortified calls end a program that would overflow its buffer" {
	contract 3 receive r01-overflow
}

# contract: R01
@test "bad buffers and headers get their errors" {
	contract 2 receive r01-bad-arguments
}

# contract: R02
@test "3 associations under load: each message once, in order, whole" {
	contract 3 receive r02-three
}

# contract: R02
@test "20 associations under load: each message once, in order, whole" {
	contract 20 receive r02-twenty
}

# contract: R02
@test "300 associations: each message once, in order, whole" {
	contract 300 receive r02-hundreds
}

# contract: R02
@test "one message among floods is not starved" {
	contract 4 receive r02-nobody-starves
}

# contract: R02
@test "no association has more than its turn" {
	run_shim SCTPEEL_POLICY=all SCTPEEL_QUANTUM=5 "$PROGRAMS/contract_receive" r02-turns
	assert_success
	[ "$output" -le 10 ]
}

# contract: R02
@test "associations that join while others talk lose nothing" {
	contract 8 receive r02-joining
}

# contract: R03
@test "stream, ssn, ppid, tsn, flags and context come as natively" {
	contract 2 receive r03-fields
}

# contract: R03
@test "names of every length come as natively" {
	contract 1 receive r03-names
}

# contract: R03
@test "lengths that no name has get what they get" {
	requires plain
	contract 1 receive r03-odd-names
}

# contract: R03
@test "IPv6 sockets name IPv4 and IPv6 peers as natively, mapped or not" {
	contract 4 receive r03-ipv6
}

# contract: R04
@test "exactly the control messages that were switched on, in the kernel's order" {
	contract 2 receive r04-wishes
}

# contract: R04
@test "control messages switched on before the first association" {
	contract 16 receive r04-first
}

# contract: R04
@test "control buffers that are too small truncate as natively" {
	contract 1 receive r04-room
}

# contract: R04
@test "control buffers that are nowhere hurt nobody" {
	requires plain
	contract 2 receive r04-nowhere
}

# contract: R04
@test "nothing switched on, no control buffer: nothing shows" {
	contract 2 receive r04-none
}

# contract: R04
@test "sctp_recvmsg and sctp_recvv see what they would see" {
	contract 1 receive r04-library
}

# contract: R05
@test "a half-read message is continued before any other" {
	contract 3 receive r05-bites
}

# contract: R05
@test "a half-read message is continued by calls that see no end of message" {
	contract 2 receive r05-plain-reads
}

# contract: R05
@test "a half-read notification is continued before any message" {
	contract 2 receive r05-notification
}

# contract: R05
@test "bites of exactly the rest, and of nothing" {
	contract 1 receive r05-exact
}

# contract: R05
@test "a half-read message stays readable when its peer has closed" {
	contract 2 receive r05-dying-gracefully
}

# contract: R05
@test "a half-read message stays readable when its peer has aborted" {
	contract 2 receive r05-dying-hard
}

# contract: R05
@test "partial delivery, interleaved or not" {
	contract 16 receive r05-partial
}

# contract: R05
@test "partial delivery that stops in the middle: others wait or not, as natively" {
	contract 4 receive r05-partial-stops
}

# contract: R05
@test "partial delivery that the peer's abort cuts off" {
	contract 4 receive r05-partial-abort
}

# contract: R05 W01
@test "waits sleep until the rest of a half-read message comes, though others have spoken" {
	contract 3 receive r05-waits-for-rest
}

# contract: R05
@test "an abort that nobody hears of ends the wait for the rest of a half-read message" {
	contract 3 receive r05-abort-unheard
}

# contract: R06
@test "a peek shows what the next receive returns, whoever speaks in between" {
	contract 3 receive r06-peek
}

# contract: R06
@test "a peek, then any receive call" {
	contract 2 receive r06-peek-then-read
}

# contract: R06
@test "every flag of a receive does what it does natively" {
	contract 2 receive r06-flags
}

# contract: R06
@test "reads of nothing take nothing" {
	contract 2 receive r06-empty-reads
}

# contract: R07
@test "a blocking receive sleeps until any association has something" {
	contract 4 receive r07-sleeps
}

# contract: R07
@test "every blocking receive call sleeps and wakes" {
	contract 2 receive r07-every-call
}

# contract: R07
@test "SO_RCVTIMEO, O_NONBLOCK and MSG_DONTWAIT" {
	contract 3 receive r07-timeout
}

# contract: R07
@test "the same timeouts where nothing is ever peeled off" {
	contract 0 receive r07-timeout SCTPEEL_POLICY=none
	contract 0 receive r07-timeout SCTPEEL_MODE=observe
}

# contract: R07
@test "sockets with nothing behind them: ENOTCONN, EAGAIN or sleep" {
	contract 0 receive r07-nobody
}

# contract: R07
@test "a client sleeps while it has associations, and hears ENOTCONN after the last" {
	contract 2 receive r07-client
}

# contract: R07
@test "a client asleep when its last association ends" {
	contract 4 receive r07-client-asleep
}

# contract: R07
@test "a server sleeps through the quiet ends of associations" {
	contract 3 receive r07-server-asleep
}

# contract: R04
@test "while messages are traced, with the time that they waited, the program sees none of it" {
	contract 2 receive r03-fields SCTPEEL_TRACE_EVENTS=all
	[ "$(events "$BATS_TEST_TMPDIR/trace" '"event":"msg"' '"wait_ns":')" -gt 2 ]
	contract 2 receive r04-wishes SCTPEEL_TRACE_EVENTS=all
	contract 2 receive r04-none SCTPEEL_TRACE_EVENTS=all
	contract 6 options o01-get SCTPEEL_TRACE_EVENTS=all
	contract 90 options o01-set SCTPEEL_TRACE_EVENTS=all
}

# contract: R08
@test "recvmmsg takes from several associations, with its lengths, flags and times" {
	contract 3 receive r08-vectors
}

# contract: R09
@test "FIONREAD says the size of what the next receive returns" {
	contract 2 receive r09-sizes
}

# contract: R10
@test "SCTP_NXTINFO tells of the next message of the same association" {
	contract 1 receive r10-next
}
