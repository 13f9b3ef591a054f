# shellcheck shell=bash disable=SC2016  # the scripts are for the shells in there
# guest: no
# Row G01 of the transparency contract: programs that use no SCTP.
load helper

# everywhere NAME CMD...: a program natively, and under the shim with the policies and with a trace,
# which proves that it was there.
everywhere() {
	local base=$BATS_TEST_TMPDIR/$1 way status
	shift
	for way in native SCTPEEL_POLICY= SCTPEEL_POLICY=all "SCTPEEL_TRACE=$base.trace"; do
		status=0
		(
			if [ "$way" = native ]; then
				[ -z "${SANITIZER_PRELOAD-}" ] || export "LD_PRELOAD=$SANITIZER_PRELOAD"
				exec "$@"
			fi
			exec env "LD_PRELOAD=$PRELOAD" "$way" "$@"
		) >"$base.out" 2>"$base.err" </dev/null 3>&- || status=$?
		echo "exit status $status" >>"$base.err"
		if [ "$way" = native ]; then
			mv "$base.out" "$base.native.out" && mv "$base.err" "$base.native.err"
		elif ! same "$base.native.out" "$base.out" || ! same "$base.native.err" "$base.err"; then
			echo "with $way: $*"
			return 1
		fi
	done
	grep -q '"event":"start"' "$base.trace" || {
		echo "the shim was not there: $*"
		return 1
	}
}

# contract: G01
@test "ls, cat, dd, tar, find, xargs, sort" {
	everywhere ls ls -laR "$TESTS/policies" /usr/lib/bats
	everywhere no-such ls /nowhere
	everywhere tools sh -c '
		cd "$1" && tar cf - tests/policies tests/selftest 2>/dev/null | tar tf - | sort | head -n 20
		dd if=Makefile bs=100 count=3 2>/dev/null | cksum
		find tests/policies -type f | sort | xargs -n 1 cat | cksum
		yes | head -n 3; cat /nowhere' sh "$ROOT"
}

# contract: G01
@test "sh: pipelines, redirections, here-documents, statuses" {
	everywhere sh sh -c '
		{ echo b; echo a >&2; } 2>&1 | sort
		cat <<-END
			here $((6 * 7))
		END
		exec 3>&1 4</dev/null 5>&2
		echo to 3 >&3; echo to 5 >&5
		cat <&4
		exec 3>&- 4<&-
		echo gone >&3
		(exit 3); echo "status $?"
		false | true; echo "status $?"
		echo $(echo substituted; exit 4) "status $?"
		sleep 0.01 & wait $!; echo "status $?"
		trap "echo trapped" TERM; kill -TERM $$; echo after
		read -r line; echo "read: $? $line"
		exit 5'
}

# contract: G01
@test "bash: process substitution, coprocesses, descriptors by name, sockets of its own" {
	everywhere bash bash -c '
		diff <(seq 3) <(seq 4); echo "status $?"
		tee >(tr a-z A-Z >&2) <<<words >/dev/null; wait; sleep 0.1
		coproc cat; echo hello >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
		eval "exec ${COPROC[1]}>&-"; wait
		exec {fd}</dev/null; echo "descriptor $fd"; exec {fd}<&-
		ulimit -n
		(exec 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null; echo "status $?"
		mapfile -t lines < <(seq 5); echo "${#lines[@]} ${lines[*]}"
		read -t 0.05 -u 9 line 9< <(sleep 0.2); echo "status $?"'
}

# contract: G01
@test "exit statuses and signals arrive as they are" {
	local one
	for one in 0 1 127 255; do
		both "exit-$one" sh -c "exit $one"
	done
	# a sanitizer's runtime would handle SEGV
	for one in TERM KILL ${SANITIZER_PRELOAD:-SEGV} PIPE ABRT USR1; do
		[[ $one = */* ]] && continue
		both "signal-$one" sh -c "kill -$one \$\$"
	done
	both no-reader sh -c 'yes | true; yes | sleep 0'
}

# contract: G01
@test "an environment that is emptied, and one that is changed" {
	everywhere empty env -i /usr/bin/env
	everywhere changed env A=b sh -c 'env | grep -v -e ^_= -e ^LD_PRELOAD= -e ^SCTPEEL -e ^BATS | sort'
	both as-is sh -c 'env | grep -v -e ^LD_PRELOAD= -e ^BATS | sort'
}

# contract: G01
@test "a program that closes all descriptors, and its standard streams" {
	everywhere closes "$PROGRAMS/contract_guests" closes
	[[ $(<"$(err_of closes)") = 'exit status 7' ]]
	both sh-closes sh -c 'exec 0<&- 1>&- 2>&-; exec 3</dev/null; ls -l /proc/self/fd'
}

# contract: G01
@test "python3: processes, sockets, select, threads, asyncio" {
	requires python3
	local python
	python=$(python3 -c 'import sys; print(sys.executable)')
	everywhere python "$python" -E -s -c '
import asyncio, os, select, socket, subprocess, threading
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
a, b = socket.socketpair()
threads = [threading.Thread(target=lambda: a.send(b"x" * 10)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(b.recv(100)), select.select([a], [b], [], 0)[0] == [])
os.closerange(3, 1000)
print(os.open("/dev/null", os.O_RDONLY))
async def serve():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n"); print(await reader.read()); writer.close(); server.close()
asyncio.run(serve())
with open("/proc/self/fd/%d" % os.open("/dev/null", os.O_RDONLY)) as f: print(f.read())
raise SystemExit(9)'
	[[ $(<"$(err_of python)") = 'exit status 9' ]] || fail "$(<"$(err_of python)")"
}
