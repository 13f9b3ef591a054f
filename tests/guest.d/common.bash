# shellcheck shell=bash
# What every kind of guest needs: messages, the description of the command, a clean end.
# shellcheck disable=SC2154  # the options are the caller's

die() {
	echo "tests/guest: $2" >&2
	echo "  $3" >&2
	exit "$1"
}

# Asks by opening a socket if anything here can, because that also loads the module.
kernel_has_sctp() {
	[ -e /proc/net/sctp ] && return
	modprobe -q sctp 2>/dev/null && [ -e /proc/net/sctp ] && return
	checksctp >/dev/null 2>&1
}

# describe_command WORK CMD...: leaves in WORK what the guest needs to know about the command.
describe_command() {
	local work=$1 stdin=/dev/null
	shift
	if [ -f /dev/stdin ]; then
		stdin=$(readlink -f /dev/stdin)
	fi
	{
		export -p
		printf 'cd %q\n' "$PWD"
		printf 'stdin=%q\n' "$stdin"
		printf 'umask %q\n' "$(umask)"
		printf 'set --'
		printf ' %q' "$@"
		echo
	} >"$work/command"
}

# One process outlives this shell whatever ends it: it kills the guest's process group and removes
# its files. It is told the group first; end of file (we are done, or dead) or the timeout is next.
start_guard() {
	local work=$1 seconds=$2
	exec {guard_fd}> >(
		trap '' INT TERM HUP PIPE
		exec >/dev/null 2>&1
		IFS= read -r group || group=
		if [ -n "$seconds" ]; then
			IFS= read -r -t "$seconds" _
			[ $? -gt 128 ] && : >"$work/timeout"
		else
			IFS= read -r _
		fi
		if [ -n "$group" ]; then
			kill -KILL -- "-$group" "$group" # it may not lead its group yet
		fi
		# the other side reads the results before it closes its end
		while IFS= read -r _; do :; done
		rm -rf "$work"
	)
	guard=$!
}

end_guard() {
	exec {guard_fd}>&-
	wait "$guard"
}

# finish NAME GUEST-PID WORK PID...: waits for the guest and the PIDs that carry its output, says what
# went wrong with it if something did, and exits with the command's status.
finish() {
	local name=$1 pid=$2 work=$3 status
	shift 3
	# shellcheck disable=SC2154  # guard_fd is set by exec
	trap 'exec {guard_fd}>&-; wait "$guard"; exit 130' INT
	trap 'exec {guard_fd}>&-; wait "$guard"; exit 143' TERM HUP
	wait "$pid" 2>/dev/null
	echo ended >&"$guard_fd" # kills what the guest may have left in its group
	[ $# -eq 0 ] || wait "$@"
	if [ -s "$work/status" ]; then
		status=$(cat "$work/status")
	elif [ -e "$work/timeout" ]; then
		echo "tests/guest: $name ended after the $timeout s of --timeout" >&2
		status=124
	else
		echo "tests/guest: $name broke before the command ended; its last messages:" >&2
		tail -n 30 "$work/log" | tr -d '\r' | sed 's/^/  /' >&2
		status=125
	fi
	end_guard
	exit "$status"
}
