# Rows O01 to O04 of the transparency contract: options.
load contract

# contract: O01
@test "every option of an association, by id and by address" {
	contract 6 options o01-get
}

# contract: O01
@test "every option set for one association, seen there and nowhere else" {
	contract 90 options o01-set
}

# contract: O01
@test "the same where stream reconfiguration, authentication and ASCONF are on" {
	contract 90 options o01-set-with-features
}

# contract: O01
@test "options of wrong length, place and name" {
	contract 3 options o01-wrong
}

# contract: O01
@test "sctp_opt_info, sctp_getpaddrs, sctp_getladdrs" {
	contract 3 options o01-library
}

# contract: O02
@test "options set for associations to come, for those that are, for all" {
	contract 200 options o02-several
}

# contract: O02
@test "switches of the whole socket, thrown late" {
	contract 8 options o02-switches
}

# contract: O03
@test "number and list of associations" {
	contract 5 options o03-lists
}

# contract: O04
@test "the type of service on the wire, set early and late" {
	contract 4 options o04-tos-on-the-wire
}

# contract: O04
@test "the endpoint's features" {
	contract 3 options o04-features
}

# contract: O04
@test "every option that a peel does not inherit is there, set early or late" {
	run_shim -0 SCTPEEL_POLICY=all "$PROGRAMS/contract_options" o04-hidden
	assert_output 'IPv4, set before the peel: 2 hidden sockets compared
IPv4, set after the peel: 2 hidden sockets compared
IPv6, set before the peel: 2 hidden sockets compared
IPv6, set after the peel: 2 hidden sockets compared'
}

# contract: O04
@test "SCTPEEL_RCVBUF and SCTPEEL_SNDBUF, but no less room than the peers were promised" {
	buffers() {
		run_shim -0 SCTPEEL_POLICY=all SCTPEEL_RCVBUF="$1" SCTPEEL_SNDBUF="$1" \
			"$PROGRAMS/contract_options" o04-buffers
	}
	buffers 90000
	assert_output 'receive buffer 90000
send buffer 90000'
	buffers 20000
	assert_output 'receive buffer 50000
send buffer 20000'
}

# contract: O05
@test "type, state, error and names of the socket" {
	contract 2 options o05-socket
}

# contract: O06
@test "addresses of the socket and of its associations, also when one is added" {
	contract 3 options o06-addresses
}
