# Rows S01, S02, S03 and S05 of the transparency contract: what a program sends and where it goes.
load contract

# contract: S01
@test "every send call, by id, by address, by both" {
	contract 2 send s01-calls
}

# contract: S01
@test "sends to an association that has not spoken yet" {
	contract 2 send s01-first
}

# contract: S01
@test "streams, flags and sizes of all kinds arrive as sent" {
	contract 2 send s01-kinds
}

# contract: S01
@test "messages in several parts" {
	contract 1 send s01-parts
}

# contract: S01
@test "sendmmsg to several associations, and what stops it" {
	contract 3 send s01-many
}

# contract: S01
@test "any address of a multi-homed peer reaches it" {
	contract 2 send s01-multihomed
}

# contract: S01
@test "IPv6 sockets: every form of address" {
	contract 2 send s01-ipv6
}

# contract: S01
@test "control messages with lifetimes, keys and addresses" {
	contract 2 send s01-controls
}

# contract: S01
@test "damaged control messages send nothing" {
	contract 1 send s01-damaged-controls
}

# contract: S01
@test "control messages longer than their buffer, which ends where memory ends" {
	requires plain
	contract 1 send s01-cut-controls
}

# contract: S01
@test "headers, names and control messages that are nowhere: EFAULT" {
	requires plain
	contract 1 send s01-nowhere
}

# contract: S02
@test "a send to someone new sets an association up" {
	contract 4 send s02-new
}

# contract: S02
@test "a send to where nobody listens" {
	contract 1 send s02-refused
}

# contract: S02
@test "a send to an address whose association has ended begins anew" {
	contract 2 send s02-again
}

# contract: S03
@test "ids that are unknown, ended or not ids: EPIPE and one SIGPIPE" {
	contract 4 send s03-ids
}

# contract: S03
@test "sends that name nobody: EPIPE, and what SIGPIPE does" {
	contract 2 send s03-nobody-named
}

# contract: S03
@test "a blocked SIGPIPE stays pending" {
	contract 1 send s03-blocked-signal
}

# contract: S03
@test "sizes, streams, flags and names that are wrong" {
	contract 1 send s03-arguments
}

# contract: S03
@test "a full buffer: EAGAIN, or sleep, or timeout" {
	contract 1 send s03-full
}

# contract: S03
@test "more than the buffer could ever hold: EMSGSIZE" {
	contract 1 send s03-too-big
}

# contract: S03
@test "sends to an association that is about to end" {
	contract 2 send s03-shutdown-pending
}

# contract: S05
@test "connect to a peer whose association is peeled: EISCONN" {
	contract 5 send s05-connect
}

# contract: S05
@test "connects that fail, and a client that connects on" {
	contract 4 send s05-odd
}

# contract: S04
@test "SCTP_SENDALL and its end reach shared and peeled associations" {
	contract 4 send s04-all
}

# contract: S06
@test "a send that is blocked goes out although its association is peeled off" {
	contract 1 send s06-blocked SCTPEEL_POLICY='peel if msgs >= 3'
}

# contract: S07
@test "associations come and speak while a thread sends to all" {
	contract 2 send s07-all-meanwhile
}
