# shellcheck shell=bash
# Unmodified servers under load, natively and under the shim that peels everything; the peers of
# programs/peer.c judge what they do. `load oracle` in place of helper.
#
#   natively_and_peeled FUNCTION     runs FUNCTION native, then FUNCTION shim
#   start WAY NAME PORT CMD...       CMD as server NAME; it listens when this returns
#   warm_up PORT [OPTION...]         one short association, before descriptors are counted
#   judge WAY NAME PORT COUNT [OPTION...]
#                                    peers against server NAME: every message once, whole and in
#                                    order, all associations end, no descriptor is left; under the
#                                    shim at least COUNT associations were peeled, natively none
load helper

natively_and_peeled() {
	requires jq
	"$1" native || {
		echo "natively: the test itself is wrong, or $1 is" >&2
		return 1
	}
	"$1" shim
}

trace_of() {
	echo "$BATS_TEST_TMPDIR/$1.trace"
}

start() {
	local way=$1 name=$2 port=$3
	shift 3
	if [ "$way" = shim ]; then
		spawn "$name" shim SCTPEEL_POLICY=all "SCTPEEL_TRACE=$(trace_of "$name")" "$@"
	else
		spawn "$name" "$@"
	fi
	wait_for_listen "$port"
}

warm_up() {
	local port=$1
	shift
	"$PROGRAMS/peer" "$@" -n 1 -m 2 127.0.0.1 "$port" || return
	wait_until no_association "$port"
}

# Columns of /proc/net/sctp/assocs: 3 is the style (0 one-to-many, 1 peeled), 12 the local port.
associations() {
	awk -v port="$1" -v style="${2-}" \
		'$12 == port && (style == "" || $3 == style) { n++ } END { print n + 0 }' \
		"${3:-/proc/net/sctp/assocs}"
}

no_association() {
	[ "$(associations "$1")" -eq 0 ]
}

# But AF_UNIX sockets: a JVM opens one when it first feels like it, with the shim and without.
descriptors() {
	# shellcheck disable=SC2012  # what the links point to is wanted
	ls -l "/proc/$1/fd" | awk 'NR == FNR { unix["socket:[" $7 "]"]; next }
		/->/ && !($NF in unix) { n++ } END { print n + 0 }' /proc/net/unix -
}

descriptors_are() {
	[ "$(descriptors "$1")" -eq "$2" ]
}

peeled_in_trace() {
	jq -n '[inputs | select(.event == "peel" and .effect.errno == 0 and .by == "policy")
		| .["sctp.assoc.id"]] | unique | length' "$1"
}

judge() {
	local way=$1 name=$2 port=$3 count=$4 pid before during=$BATS_TEST_TMPDIR/assocs styles peels
	shift 4
	pid=$(pid_of "$name")
	before=$(descriptors "$pid")
	# with three streams and a heavy peer that is always ahead
	"$PROGRAMS/peer" -n "$count" -H 1 -x "cat /proc/net/sctp/assocs >$during" "$@" \
		127.0.0.1 "$port" || return
	wait_until no_association "$port" || return
	if ! wait_until descriptors_are "$pid" "$before"; then
		echo "$name had $before descriptors before the associations:"
		ls -l "/proc/$pid/fd"
		return 1
	fi
	styles=$(associations "$port" 1 "$during")
	if [ "$way" = native ]; then
		assert_equal "peeled natively: $styles" 'peeled natively: 0' || return
		assert_equal "$(associations "$port" 0 "$during")" "$count"
		return
	fi
	assert_equal "peeled by /proc: $styles" "peeled by /proc: $count" || return
	peels=$(peeled_in_trace "$(trace_of "$name")")
	if [ "$peels" -lt "$count" ]; then
		echo "$count associations, but only $peels were peeled by the trace"
		return 1
	fi
}

# What the server itself wrote: nothing but what it is known to say.
silent() {
	local err
	err=$(<"$(err_of "$1")")
	assert_equal "$err" ''
}
