# shellcheck shell=bash
# Unmodified servers under load, natively and under the shim that peels everything; the peers of
# programs/peer.c judge what they do. `load oracle` in place of helper.
#
# WAY is how a server runs: native, or under the shim with the policy all (also: shim) or volume.
#
#   natively_and_peeled FUNCTION     runs FUNCTION native, then FUNCTION shim
#   in_the_field FUNCTION            runs FUNCTION all and volume, or what $WAYS says
#   start WAY NAME PORT CMD...       CMD as server NAME; it listens when this returns
#   warm_up PORT [OPTION...]         one short association, before descriptors are counted
#   judge WAY NAME PORT COUNT [OPTION...]
#                                    peers against server NAME: every message once, whole and in
#                                    order, all associations end, no descriptor is left; under the
#                                    shim COUNT associations were peeled, natively none. With
#                                    by=program it is the server that peels them, natively too
#   judge_twenty WAY NAME PORT [OPTION...]
#                                    the same with 20 peers that send $MESSAGES messages altogether:
#                                    one is heavy, five so quiet that volume keeps them
#   messages WAY                     how many messages to send: $MESSAGES, but natively at most 500
load helper
MESSAGES=${MESSAGES:-500}
by=policy

natively_and_peeled() {
	requires jq
	"$1" native || {
		echo "natively: the test itself is wrong, or $1 is" >&2
		return 1
	}
	"$1" shim
}

in_the_field() {
	local way
	requires jq
	for way in ${WAYS:-all volume}; do
		"$1" "$way" || {
			echo "this was the way $way" >&2
			return 1
		}
	done
}

trace_of() {
	echo "$BATS_TEST_TMPDIR/$1.trace"
}

# As start, for what does not listen.
under() {
	local policy=${1/shim/all} name=$2
	shift 2
	if [ "$policy" = native ]; then
		spawn "$name" "$@"
	else
		spawn "$name" shim "SCTPEEL_POLICY=$policy" "SCTPEEL_TRACE=$(trace_of "$name")" "$@"
	fi
}

start() {
	local way=$1 name=$2 port=$3
	shift 3
	under "$way" "$name" "$@"
	wait_for_listen "$port"
}

warm_up() {
	local port=$1
	shift
	"$PROGRAMS/peer" "$@" -n 1 -m 2 127.0.0.1 "$port" || return
	wait_until no_association "$port"
}

# Columns of /proc/net/sctp/assocs: 3 is the style (0 one-to-many, 1 peeled), 12 the local port.
styles() {
	awk -v port="$1" '$12 == port { n[$3]++ } END { print n[0] + 0, n[1] + 0 }' "$2"
}

no_association() {
	local columns
	while read -ra columns; do
		[ "${columns[11]-}" != "$1" ] || return 1
	done </proc/net/sctp/assocs
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

# Those of a server and its children.
all_descriptors() {
	local process sum=0
	for process in "$1" $(pgrep -P "$1"); do
		sum=$((sum + $(descriptors "$process")))
	done
	echo "$sum"
}

all_descriptors_are() {
	[ "$(all_descriptors "$1")" -eq "$2" ]
}

peeled_in_trace() {
	jq -n --arg by "${2:-policy}" '[inputs | select(.event == "peel" and .effect.errno == 0
		and .by == $by) | .["sctp.assoc.id"]] | unique | length' "$1"
}

judge() {
	local way=$1 name=$2 port=$3 count=$4 pid before during=$BATS_TEST_TMPDIR/assocs
	shift 4
	pid=$(pid_of "$name")
	before=$(descriptors "$pid")
	# with three streams and a heavy peer that is always ahead
	"$PROGRAMS/peer" -n "$count" -H 1 -x "$(snapshot "$(peels_due "$way" "$count" "$@")")" "$@" \
		127.0.0.1 "$port" || return
	wait_until no_association "$port" || return
	if ! wait_until descriptors_are "$pid" "$before"; then
		echo "$name had $before descriptors before the associations:"
		ls -l "/proc/$pid/fd"
		return 1
	fi
	peels_are "$way" "$name" "$port" "$count" "$@"
}

# How many associations a server should peel off: peels_due WAY COUNT [OPTION...]
peels_due() {
	case $by-$1 in
	policy-native) echo 0 ;;
	policy-volume) [[ " $* " =~ \ -q\ ([0-9]+)\  ]] && echo $(($2 - BASH_REMATCH[1])) || echo "$2" ;;
	*) echo "$2" ;;
	esac
}

# A command that keeps in $during which associations there are. A server that only takes may still
# have to take the message for which it peels the last of them.
snapshot() {
	cat <<-EOF
		for i in \$(seq 100); do
			cat /proc/net/sctp/assocs >$during
			[ "\$(awk '\$12 == $port && \$3 == 1' $during | wc -l)" -lt $1 ] || break
			sleep 0.1
		done
	EOF
}

# judge's last question: which associations were peeled, says the kernel, and by whom, says the trace.
peels_are() {
	local way=$1 name=$2 port=$3 count=$4 due peels
	due=$(peels_due "$way" "$count" "${@:5}")
	assert_equal "shared and peeled by /proc: $(styles "$port" "$during")" \
		"shared and peeled by /proc: $((count - due)) $due" || return
	[ "$way" != native ] || return 0
	peels=$(peeled_in_trace "$(trace_of "$name")" "$by")
	if [ "$peels" -lt "$due" ]; then
		echo "$due of $count associations should be peeled, by the trace only $peels were"
		return 1
	fi
}

# The heavy one sends 21 times as many as the 14 that are not quiet.
twenty() {
	echo "-q 5 -f 21 -W 64 -k 3 -t 60 -m $((($(messages "$1") + 29) / 35))"
}

judge_twenty() {
	local options
	read -ra options < <(twenty "$1")
	judge "$1" "$2" "$3" 20 "${options[@]}" "${@:4}"
}

# The peers without the questions to the server.
twenty_peers() {
	local options
	read -ra options < <(twenty "$1")
	"$PROGRAMS/peer" -n 20 -H 1 "${options[@]}" "${@:3}" 127.0.0.1 "$2"
}

# The native way only shows that the test is right, which few messages do.
messages() {
	if [ "$1" = native ] && [ "$MESSAGES" -gt 500 ]; then
		echo 500
	else
		echo "$MESSAGES"
	fi
}

# What the server itself wrote: nothing but what it is known to say.
silent() {
	local err
	err=$(<"$(err_of "$1")")
	assert_equal "$err" ''
}
