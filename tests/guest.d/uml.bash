# shellcheck shell=bash
# User Mode Linux: Linux as a process, with this machine's files as its own. Needs no privilege.

# shellcheck disable=SC2154  # the options are the caller's
run_uml() {
	local missing=() work base pid cats=()
	command -v linux.uml >/dev/null && [ -d /usr/lib/uml/modules ] || missing+=(user-mode-linux)
	PATH=$PATH:/usr/sbin:/sbin command -v modprobe >/dev/null || missing+=(kmod)
	PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null || missing+=(iproute2)
	[ ${#missing[@]} -eq 0 ] ||
		die 69 "this kernel has no SCTP, and User Mode Linux is not installed" \
			"sudo apt-get install ${missing[*]}"

	# The kernel's command line cannot carry a blank, and its control socket needs a short path.
	base=${TMPDIR:-/tmp}
	case $base in *[[:space:]]* | ?????????????????????????????????????????*) base=/tmp ;; esac
	work=$(mktemp -d "$base/sctpeel-uml.XXXXXX") || exit 69
	start_guard "$work" "$timeout"
	describe_command "$work" "$@"
	{
		echo '#!/bin/bash'
		printf 'work=%q\n' "$work"
		printf '. %q\n' "$lib/uml-init"
	} >"$work/init"
	chmod +x "$work/init"

	# Serial lines keep the command's two streams apart, and the console's messages out of both.
	# UML sets its lines non-blocking, so it must not get our own descriptors.
	mkfifo "$work/out" "$work/err"
	cat "$work/out" {guard_fd}>&- &
	cats+=($!)
	cat "$work/err" >&2 {guard_fd}>&- &
	cats+=($!)
	exec {out}>"$work/out" {err}>"$work/err"
	(
		exec {guard_fd}>&-
		TMPDIR=$(memory_folder "$base") exec setsid linux.uml mem="$mem" \
			root=/dev/root rootfstype=hostfs rootflags=/ rw init="$work/init" \
			con=null con0=null,fd:1 ssl=null ssl0=null,fd:"$out" ssl1=null,fd:"$err" \
			uml_dir="$work" umid=uml panic=-1 </dev/null >"$work/log" 2>&1
	) &
	pid=$!
	echo "$pid" >&"$guard_fd"
	exec {out}>&- {err}>&-
	if [ "$verbose" = yes ]; then
		tail -f --pid="$pid" "$work/log" >&2 {guard_fd}>&- &
	fi
	finish 'User Mode Linux' "$pid" "$work" "${cats[@]}"
}

# The guest's memory is a sparse file: best where no disk is behind it, if it fits there.
memory_folder() {
	local want free
	want=$(numfmt --from=iec "$mem") || want=0
	free=$(df -P --block-size=1 /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
	if [ "${free:-0}" -gt "$want" ] && [ -w /dev/shm ]; then
		echo /dev/shm
	else
		echo "$1"
	fi
}
