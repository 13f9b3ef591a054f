# Erlang servers, unmodified: on gen_sctp in the ways in which it takes messages, on the socket module.
# seconds a test: 60
load oracle

setup() {
	requires erl
	[ -e "$PROGRAMS/sctp_echo.beam" ] || skip 'needs erlc when it is built'
}

# erlang_echoes WAY PORT TAKING [OPTION...]
erlang_echoes() {
	local name=erlang-$1 peers=("${@:4}")
	start "$1" "$name" "$2" erl +S 1 +A 1 -noshell -noinput -pa "$PROGRAMS" \
		-run sctp_echo main "$2" "$3" &&
		warm_up "$2" "${peers[@]}" &&
		judge_twenty "$1" "$name" "$2" -s 100-2000 "${peers[@]}" &&
		wait_until associations_reported "$name" &&
		silent "$name" &&
		stop "$name"
}

# The server says comm_up and shutdown_comp for each association, and nothing unexpected.
associations_reported() {
	local log
	log=$(sed 's/ [0-9]*$//' "$(out_of "$1")" | sort | uniq -c | tr -s ' \n' ' ')
	[ "$log" = ' 21 comm_up 1 ready 21 shutdown_comp ' ]
}

active() {
	erlang_echoes "$1" 5031 active
}

once() {
	erlang_echoes "$1" 5032 once
}

some() {
	erlang_echoes "$1" 5034 some
}

passive() {
	erlang_echoes "$1" 5033 passive
}

socket() {
	erlang_echoes "$1" 5035 socket -e data
}

# diameter_client PEERS MESSAGES
diameter_client() {
	erl +S 1 +A 1 -noshell -noinput -pa "$PROGRAMS" -run diameter_node main client 5036 "$1" "$2" \
		"cat /proc/net/sctp/assocs >$during" && wait_until no_association 5036
}

diameter_counts() {
	[ "$(sort "$(out_of "$1")" | uniq -c | tr -s ' \n' ' ')" = " $2 down 1 ready $2 up " ]
}

# It peels by itself, and answers requests that each wait for the one before; those of the heavy
# peer in sixteen rows.
diameter() {
	local name=diameter-$1 before during=$BATS_TEST_TMPDIR/assocs
	# shellcheck disable=SC2034  # for judge
	local by=program
	under "$1" "$name" erl +S 1 +A 1 -noshell -noinput -pa "$PROGRAMS" \
		-run diameter_node main server 5036 &&
		wait_for_line "$name" ready &&
		diameter_client 1 32 && wait_until diameter_counts "$name" 1 || return
	before=$(descriptors "$(pid_of "$name")")
	diameter_client 20 "$(messages "$1")" && wait_until diameter_counts "$name" 21 &&
		wait_until descriptors_are "$(pid_of "$name")" "$before" &&
		peels_are "$1" "$name" 5036 20 &&
		silent "$name" &&
		stop "$name"
}

@test "Erlang, active: echoes to twenty peers, one heavy" {
	in_the_field active
}

@test "Erlang, active once: echoes to twenty peers, one heavy" {
	in_the_field once
}

@test "Erlang, active 10: echoes to twenty peers, one heavy" {
	in_the_field some
}

@test "Erlang, passive: echoes to twenty peers, one heavy" {
	in_the_field passive
}

@test "Erlang's socket module: echoes to twenty peers, one heavy" {
	in_the_field socket
}

@test "Erlang's diameter answers twenty peers, one heavy, and peels them off itself" {
	local erl
	erl=$(readlink -f "$(command -v erl)")
	compgen -G "${erl%/*/*}/lib/diameter-*" >/dev/null ||
		skip 'needs erlang-diameter'
	in_the_field diameter
}
