# Rows N05 and S04 of the transparency contract: extensions of SCTP.
load contract

# contract: N05
@test "streams are reset and added, by either side" {
	contract 2 extensions n05-streams
}

# contract: N05
@test "what the peer says of its adaptation layer" {
	contract 3 extensions n05-adaptation
}

# contract: N05
@test "SCTP_AUTHENTICATION_EVENT, from peers with and without keys" {
	contract 2 extensions n05-authentication
}

# contract: N05 S04
@test "messages whose lifetime ends are dropped and told, the others arrive" {
	contract 2 extensions s04-lifetimes
}
