# Erlang servers, unmodified: on gen_sctp in the ways in which it takes messages, on the socket module.
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
