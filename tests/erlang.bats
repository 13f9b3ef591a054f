# An Erlang server on gen_sctp, unmodified: in the three ways in which Erlang takes messages.
load oracle

setup() {
	requires erl
	[ -e "$PROGRAMS/sctp_echo.beam" ] || skip 'needs erlc when it is built'
}

# erlang_echoes WAY PORT TAKING
erlang_echoes() {
	local name=erlang-$1
	start "$1" "$name" "$2" erl +S 1 +A 1 -noshell -noinput -pa "$PROGRAMS" \
		-run sctp_echo main "$2" "$3" &&
		warm_up "$2" &&
		judge "$1" "$name" "$2" 3 -m 50 -k 3 -s 100-2000 &&
		wait_until associations_reported "$name" &&
		silent "$name" &&
		stop "$name"
}

# The server says comm_up and shutdown_comp for each association, and nothing unexpected.
associations_reported() {
	local log
	log=$(sed 's/ [0-9]*$//' "$(out_of "$1")" | sort | uniq -c | tr -s ' \n' ' ')
	[ "$log" = ' 4 comm_up 1 ready 4 shutdown_comp ' ]
}

active() {
	erlang_echoes "$1" 5031 active
}

once() {
	erlang_echoes "$1" 5032 once
}

passive() {
	erlang_echoes "$1" 5033 passive
}

@test "Erlang, active: echoes to three peers, one heavy" {
	natively_and_peeled active
}

@test "Erlang, active once: echoes to three peers, one heavy" {
	natively_and_peeled once
}

@test "Erlang, passive: echoes to three peers, one heavy" {
	natively_and_peeled passive
}
