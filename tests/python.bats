# Python servers on one SOCK_SEQPACKET socket, in the ways in which Python programs wait.
# seconds a test: 55
load oracle

setup() {
	requires /usr/bin/python3
}

# python_echoes WAY WAIT CMSG
python_echoes() {
	local name=$2-$1 port=5201
	start "$1" "$name" "$port" /usr/bin/python3 -ISu "$TESTS/programs/sctp_echo.py" "$port" "$2" "$3" &&
		warm_up "$port" &&
		judge_twenty "$1" "$name" "$port" -s 100-2000 &&
		wait_until associations_reported "$name" &&
		silent "$name" || return
	stop "$name"
	# shellcheck disable=SC2154  # stop sets it
	assert_equal "$stopped" 143
}

# The server says COMM_UP and SHUTDOWN_COMP for each association, and nothing unexpected.
associations_reported() {
	local log
	log=$(sed 's/ [0-9]*$//' "$(out_of "$1")" | sort | uniq -c | tr -s ' \n' ' ')
	[ "$log" = ' 21 COMM_UP 21 SHUTDOWN_COMP ' ]
}

blocking() {
	python_echoes "$1" blocking sndrcv
}

with_select() {
	python_echoes "$1" select sndrcv
}

with_poll() {
	python_echoes "$1" poll sndinfo
}

with_epoll() {
	python_echoes "$1" epoll sndrcv
}

edge() {
	python_echoes "$1" edge sndinfo
}

with_asyncio() {
	python_echoes "$1" asyncio sndinfo
}

peeling() {
	# shellcheck disable=SC2034  # for judge
	local by=program
	python_echoes "$1" peeling sndrcv
}

@test "Python, blocking: echoes to twenty peers, one heavy" {
	in_the_field blocking
}

@test "Python, select: echoes to twenty peers, one heavy" {
	in_the_field with_select
}

@test "Python, poll, SNDINFO and RCVINFO: echoes to twenty peers, one heavy" {
	in_the_field with_poll
}

@test "Python, epoll: echoes to twenty peers, one heavy" {
	in_the_field with_epoll
}

@test "Python, edge-triggered epoll, SNDINFO and RCVINFO: echoes to twenty peers, one heavy" {
	in_the_field edge
}

@test "Python, asyncio, SNDINFO and RCVINFO: echoes to twenty peers, one heavy" {
	in_the_field with_asyncio
}

@test "Python peels each association off and duplicates its socket: echoes to twenty peers, one heavy" {
	in_the_field peeling
}
