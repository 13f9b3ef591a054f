# shellcheck shell=bash
# This kernel has SCTP: a network, processes and /run of its own are all that the command needs.

# shellcheck disable=SC2154  # the options are the caller's
run_native() {
	local apart=(unshare --net --mount) pid status script
	kernel_has_sctp || die 69 "this kernel has no SCTP" \
		"load its module with: sudo modprobe sctp; or leave out --native"
	[ "$EUID" -eq 0 ] || apart+=(--map-root-user)
	"${apart[@]}" true 2>/dev/null ||
		die 69 "network namespaces are not allowed here" \
			"run it as root, or in User Mode Linux with --uml"
	# With processes of their own none is left over at the end.
	! "${apart[@]}" --pid --fork --kill-child --mount-proc true 2>/dev/null ||
		apart+=(--pid --fork --kill-child --mount-proc)
	# shellcheck disable=SC2016  # for the shell in there
	script='PATH=$PATH:/usr/sbin:/sbin
		ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/netns /run/lock
		ulimit -Sn 1024
		exec "$@"'
	[ -z "$timeout" ] || apart=(timeout --signal=KILL "$timeout" "${apart[@]}")
	"${apart[@]}" bash -c "$script" guest "$@" <&0 &
	pid=$!
	trap 'kill -KILL "$pid" 2>/dev/null; exit 130' INT
	trap 'kill -KILL "$pid" 2>/dev/null; exit 143' TERM HUP
	wait "$pid" 2>/dev/null
	status=$?
	if [ -n "$timeout" ] && [ "$status" -eq 137 ]; then
		echo "tests/guest: ended after the $timeout s of --timeout" >&2
		status=124
	fi
	exit "$status"
}
