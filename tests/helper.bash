# shellcheck shell=bash
# For every .bats file: `load helper` first. Each process costs about 40 ms in the guest, so these
# functions start as few as they can; do likewise.
#
#   shim [VAR=VALUE...] CMD...      CMD with the library preloaded, and SCTPEEL_... as given
#   run_shim [-N|!] ...             the same through bats' run
#   both [-n] NAME [VAR=VALUE...] CMD...   CMD natively, then under the shim that peels everything:
#                                   both must print the same and end the same; -n: each in a
#                                   network namespace of its own
#   spawn NAME CMD...               CMD in the background (CMD may be `shim ...`, `in_netns N ...`)
#   out_of NAME, err_of NAME        the files that it writes to
#   pid_of NAME                     its process
#   stop NAME [SIGNAL]              ends it (TERM); its status is in $stopped
#   finish NAME [SECONDS]           waits for its end and returns its status
#   wait_until [-t SECONDS] CMD...  until CMD succeeds
#   wait_for_listen PORT [NAME]     until an SCTP endpoint has PORT (in NAME's network namespace)
#   wait_for_line NAME TEXT         until NAME has printed a line that contains TEXT
#   in_netns NS CMD...              CMD in that network namespace
#   lan A B [COUNT]                 namespaces A and B on COUNT networks: 10.9.N.1 is A, 10.9.N.2 B,
#                                   also fd09:N::1 and ::2, devices vN, N from 1
#   requires WORD...                skips with the reason: a command, sctp, netns, plain (no sanitizer)

# A compatible bats is in Debian since 12.
bats_require_minimum_version 1.7.0
# As bats_load_library does, but theirs start a process for each of their files: a second each test.
for path in ${BATS_LIB_PATH//:/ }; do
	for file in "$path"/bats-{support,assert}/src/*.bash; do
		# shellcheck source=/dev/null
		[ ! -e "$file" ] || source "$file"
	done
done
unset path file

TESTS=${BASH_SOURCE[0]%/*}
[[ $TESTS = /* ]] || TESTS=$PWD/$TESTS
ROOT=${TESTS%/tests}
BUILD=${BUILD:-build}
[[ $BUILD = /* ]] || BUILD=$ROOT/$BUILD
SHIM=$BUILD/libsctpeel.so
# shellcheck disable=SC2034  # for the tests
PROGRAMS=$BUILD/programs
PRELOAD=${SANITIZER_PRELOAD:+$SANITIZER_PRELOAD:}$SHIM
# tests/compat puts other libraries beside ours.
PRELOAD=${PRELOAD_BEFORE:+$PRELOAD_BEFORE:}$PRELOAD${PRELOAD_AFTER:+:$PRELOAD_AFTER}
# ThreadSanitizer overlooks atomics below its own poll and epoll_wait (BlockingCall): we stand above.
[[ $PRELOAD != *libtsan* ]] || PRELOAD=$SHIM:$SANITIZER_PRELOAD
[[ :$PATH: = *:$BUILD:* ]] || export PATH=$BUILD:$PATH:/usr/sbin:/sbin
declare -gA spawned=() # bats reads this file in a function
nap=

if [ ! -e /proc/net/sctp ] && ! [[ $(<"${BATS_TEST_FILENAME:-/dev/null}") =~ (^|$'\n')'# guest: no' ]]; then
	echo "no SCTP in this kernel: run tests/run ${BATS_TEST_FILENAME#"$ROOT/"}" >&2
	exit 1
fi

# From spawn it goes on as the command itself, so that a signal reaches it. What enters the network
# namespace is not to be preloaded.
shim() {
	local vars=()
	while [[ ${1-} =~ ^[A-Za-z_][A-Za-z0-9_]*= ]]; do
		vars+=("$1")
		shift
	done
	vars+=("LD_PRELOAD=$PRELOAD")
	if [ -n "${netns-}" ]; then
		plainly nsenter --net="/run/netns/$netns" env "${vars[@]}" "$@"
	elif [ "${in_spawn-}" = yes ]; then
		export "${vars[@]}"
		exec "$@"
	else
		(export "${vars[@]}" && exec "$@")
	fi
}

# in_netns and spawn set the variables that shim looks at, wherever it stands among them.
in_netns() {
	local netns=$1
	shift
	if [[ $(type -t "$1") = function ]]; then
		"$@"
	else
		plainly nsenter --net="/run/netns/$netns" "$@"
	fi
}

plainly() {
	if [ "${in_spawn-}" = yes ]; then
		exec "$@"
	fi
	"$@"
}

run_shim() {
	local options=()
	while [[ ${1-} = [-!]* ]]; do
		options+=("$1")
		shift
	done
	run "${options[@]}" shim "$@"
}

spawn() {
	local name=$1 base=$BATS_TEST_TMPDIR/$1
	shift
	: >"$base.out" 2>"$base.err" # whoever looks at once finds them
	(
		local in_spawn=yes
		if [[ $(type -t "$1") = function ]]; then
			"$@"
		else
			exec "$@"
		fi
	) >"$base.out" 2>"$base.err" </dev/null 3>&- &
	spawned[$name]=$!
}

out_of() {
	echo "$BATS_TEST_TMPDIR/$1.out"
}

err_of() {
	echo "$BATS_TEST_TMPDIR/$1.err"
}

pid_of() {
	echo "${spawned[$1]}"
}

stop() {
	local name=$1
	stopped=0
	kill "-${2:-TERM}" "${spawned[$name]}" 2>/dev/null || true
	finish "$name" || stopped=$?
	[ "$stopped" -ne 124 ]
}

finish() {
	local name=$1 pid=${spawned[$1]} status=0
	if ! wait_until -t "${2:-30}" ended "$pid"; then
		echo "$name is still running after ${2:-30} s"
		return 124
	fi
	wait "$pid" 2>/dev/null || status=$?
	unset "spawned[$name]"
	return "$status"
}

# A zombie has ended: nothing but our wait is due.
ended() {
	local state
	read -r state 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${state##*) } = Z* ]]
}

# sleep(1) would be a process each time.
pause() {
	[ -n "$nap" ] || exec {nap}<> <(:)
	read -r -t "$1" -u "$nap" _ || true
}

wait_until() {
	local limit=10 deadline
	if [ "$1" = -t ]; then
		limit=$2
		shift 2
	fi
	deadline=$((SECONDS + limit * ${PATIENCE:-3}))
	until "$@"; do
		if ((SECONDS > deadline)); then
			echo "gave up after $limit s: $*"
			return 1
		fi
		pause 0.02
	done
}

listening() {
	local columns
	while read -ra columns; do
		[ "${columns[5]-}" = "$1" ] && return 0
	done <"$2" 2>/dev/null
	return 1
}

wait_for_listen() {
	local eps=/proc/net/sctp/eps
	[ $# -lt 2 ] || eps=/proc/${spawned[$2]}/net/sctp/eps
	wait_until listening "$1" "$eps"
}

has_line() {
	local text
	text=$(<"$BATS_TEST_TMPDIR/$1.out") 2>/dev/null && [[ $text = *"$2"* ]]
}

wait_for_line() {
	wait_until has_line "$1" "$2"
}

both() {
	local isolate=() vars=() name base try
	if [ "$1" = -n ]; then
		# shellcheck disable=SC2016  # for the shell in there
		isolate=(unshare -n sh -c 'ip link set lo up && LD_PRELOAD=$0 exec "$@"')
		shift
	fi
	name=$1 base=$BATS_TEST_TMPDIR/$1
	shift
	while [[ ${1-} =~ ^[A-Za-z_][A-Za-z0-9_]*= ]]; do
		vars+=("$1")
		shift
	done
	for try in 1 2 3; do
		both_once "$@"
		late "$base.native.out" "$base.shim.out" || break
		echo "$name: try $try: one of them was late"
	done
	same "$base.native.out" "$base.shim.out" && same "$base.native.err" "$base.shim.err"
}

# With what its caller has found out.
both_once() {
	local kind status preload
	for kind in native shim; do
		preload=${SANITIZER_PRELOAD-}
		[ $kind = native ] || preload=$PRELOAD
		status=0
		(
			if [ ${#isolate[@]} -gt 0 ]; then
				export SCTPEEL_POLICY="${CONTRACT_POLICY:-all}" "${vars[@]}"
				exec "${isolate[@]}" "$preload" "$@"
			fi
			[ -z "$preload" ] || vars+=("LD_PRELOAD=$preload")
			export SCTPEEL_POLICY="${CONTRACT_POLICY:-all}" "${vars[@]}"
			exec "$@"
		) >"$base.$kind.out" 2>"$base.$kind.err" </dev/null 3>&- || status=$?
		echo "exit status $status" >>"$base.$kind.err"
	done
}

# Do they differ in nothing but how long things took (how_long in programs/contract.h)? A busy machine
# does that now and then, a fault each time.
late() {
	local native shim word
	IFS= read -r -d '' native <"$1"
	IFS= read -r -d '' shim <"$2"
	[ "$native" != "$shim" ] || return
	for word in 'at once' 'after a while' late; do
		native=${native//$word/in time} shim=${shim//$word/in time}
	done
	[ "$native" = "$shim" ]
}

same() {
	cmp -s "$1" "$2" && return
	echo "the shim makes a difference (${1##*/}, ${2##*/}):"
	diff -u "$1" "$2"
}

lan() {
	local a=$1 b=$2 n
	requires netns
	for n in "$a" "$b"; do
		ip netns add "$n"
		namespaces+=("$n")
	done
	for ((n = 1; n <= ${3:-1}; n++)); do
		ip link add "v$n" netns "$a" type veth peer name "v$n" netns "$b"
	done
	for n in "$a:1" "$b:2"; do
		{
			echo link set lo up
			for ((i = 1; i <= ${3:-1}; i++)); do
				echo "link set v$i up"
				echo "addr add 10.9.$i.${n#*:}/24 dev v$i"
				echo "addr add fd09:$i::${n#*:}/64 dev v$i nodad"
			done
		} | ip -n "${n%:*}" -batch -
	done
}
namespaces=()

requires() {
	local word
	for word; do
		case $word in
		netns) [ "$EUID" -eq 0 ] || skip 'needs root for network namespaces' ;;
		sctp) [ -e /proc/net/sctp ] || skip 'needs a kernel with SCTP' ;;
		plain) [ -z "${SANITIZER_PRELOAD-}" ] || skip 'cannot run under a sanitizer' ;;
		*) command -v "$word" >/dev/null || skip "needs $word" ;;
		esac
	done
}

# A test file with a teardown of its own calls clean_up from it.
clean_up() {
	local name n
	for name in "${!spawned[@]}"; do
		kill -KILL "${spawned[$name]}" 2>/dev/null || true
		wait "${spawned[$name]}" 2>/dev/null || true
	done
	spawned=()
	for n in "${namespaces[@]}"; do
		ip netns del "$n" || true
	done
	namespaces=()
	[ -z "${BATS_TEST_COMPLETED-}" ] || return 0
	# What the others said tells why it failed.
	for name in "$BATS_TEST_TMPDIR"/*.out "$BATS_TEST_TMPDIR"/*.err; do
		[ -s "$name" ] || continue
		echo "--- ${name##*/}, last lines:"
		tail -n 20 "$name"
	done
}

teardown() {
	clean_up
}
