# shellcheck shell=bash disable=SC2154  # $output is bats'
# guest: no
# What must hold for any library that is preloaded into programs that know nothing of it.
load helper

calls() {
	"${CC:-cc}" -E -P -undef -x c "-DCALL(ret,name,params,args,family)=name" \
		"-DCALL_VARIADIC(ret,name,params,fetched,args,family)=name" "$ROOT/shim/calls.def" |
		tr -s ' ' '\n' | grep . | sort
}

exported() {
	nm -D --defined-only "$1" | awk '{ print $3 }' | sort
}

# Names that the library asks others for, weak ones that nobody has left out.
imported() {
	nm -D --undefined-only "$1" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u
}

libc() {
	ldd "$SHIM" | awk '$1 == "libc.so.6" { print $3 }'
}

# OBJECT NAME: what an object of the library leaves to others.
object_imports() {
	(cd "$BUILD/shim" && nm -uA ./*.o ./*/*.o) | sed -n 's/^\.\/\([^:]*\): *[Uwv] /\1 /p'
}

nothing() {
	[ -z "$output" ] || fail "$1"$'\n'"$output"
}

# contract: G01
@test "exactly the calls of calls.def are exported" {
	run diff -u <(calls) <(exported "$SHIM")
	nothing 'calls.def and the exported symbols differ:'
	[ "$(calls | wc -l)" -gt 60 ]
}

# contract: R01
@test "each call of libc that sounds like a hooked one is hooked or excused" {
	local name reason pattern excused=() unexplained=() total=0 hooked
	declare -A is_hooked=()
	while read -r pattern reason; do
		[[ $pattern = [!#]* ]] || continue
		[ -n "$reason" ] || fail "no reason for $pattern"
		excused+=("$pattern")
	done <"$TESTS/siblings.excused"
	while read -r hooked; do
		is_hooked[$hooked]=yes
	done < <(calls)
	# what only glibc's own libraries may use is of the version GLIBC_PRIVATE
	while read -r name; do
		total=$((total + 1))
		[ -z "${is_hooked[$name]-}" ] || continue
		for pattern in "${excused[@]}"; do
			# shellcheck disable=SC2053  # it is a pattern
			[[ $name != $pattern ]] || continue 2
		done
		unexplained+=("$name")
	done < <(nm -D --with-symbol-versions --defined-only "$(libc)" |
		awk '$2 ~ /[TWi]/ && !/GLIBC_PRIVATE/ { sub(/@.*/, "", $3); print $3 }' |
		grep -E -e 'read|write|recv|send|poll|select|close|dup|sock|accept|connect|listen|shutdown' \
			-e 'fcntl|ioctl|splice|^tee|aio_|lio_|fd(_|$)|fork|clone|exec|spawn|popen|syscall' \
			-e 'getmsg|putmsg|getpeername|rcmd|open_by|unshare|setns|sync_file|copy_file' |
		grep -vE '^_*pthread|thread|str.*dup|wcs' | sort -u)
	[ ${#unexplained[@]} -eq 0 ] || fail "neither hooked nor excused: ${unexplained[*]}"
	[ "$total" -gt 150 ]
}

@test "nothing that is hooked is excused by its own name" {
	run comm -12 <(calls) <(awk '/^[a-z_]/ { print $1 }' "$TESTS/siblings.excused" | sort)
	nothing 'hooked and excused:'
}

# The compiler could make such calls too, so the objects are asked and not the sources.
# contract: G01
@test "no object of the library calls what it hooks but through the table" {
	run comm -12 <(object_imports | awk '{ print $2 }' | sort -u) <(calls)
	nothing 'called by name:'
	[ "$(object_imports | grep -c ' libc$')" -gt 20 ]
}

# What hooks a call asks libc for it by name: a NULL would only be met when the call is.
# contract: G01
@test "libc has each hooked call, but sctp_peeloff_flags" {
	run comm -23 <(calls) <(nm -D --defined-only "$(libc)" | awk '{ print $3 }' |
		sed 's/@.*//' | sort -u)
	assert_output sctp_peeloff_flags
}

# libgcc_s is what unwinds a cancelled thread: with -fexceptions our frames can be unwound, and one
# copy of the unwinder has to do it all.
# contract: G01
@test "it needs libc and the unwinder, nothing else" {
	requires plain
	run sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <(readelf -dW "$SHIM" | sort -k 5)
	assert_output $'libc.so.6\nlibgcc_s.so.1'
}

# An object is named with what it alone may do, and why.
allowed() {
	cat <<-'TABLE'
		policy/compile.o calloc: rules are compiled in the constructor
		policy/parser.o reallocarray: likewise
		policy/policy.o calloc: likewise
		policy/policy.o free: likewise
		policy/print.o malloc: only the command prints rules
		policy/print.o fputs: only the command prints rules
		policy/explain.o fputs: only the command explains rules
		policy/explain.o fputc: only the command explains rules
		policy/explain.o fwrite: only the command explains rules
		policy/explain.o fprintf: only the command explains rules
		sleep.o sigaction: asks what the handlers are, sets none
		events/outlet.o pthread_sigmask: SIGPIPE and SIGXFSZ of a sink are not the program's
		events/outlet.o sigtimedwait: likewise
		events/events.o pthread_setcancelstate: a cancelled thread leaves no event half written
		cancellation.o pthread_setcancelstate: nor a lock taken, nor a message lost
		cancellation.o pthread_testcancel: where the call that we stand for would act upon it
		endpoint.o pthread_testcancel: likewise
		peel.o pthread_sigmask: no handler looks for what is on its way between two descriptors
		siblings.o pthread_atfork: forks are followed
		siblings.o kill: asks whether a process lives, sends nothing
		commons.o pthread_mutex_consistent: a lock in shared memory outlives who died in it
		commons.o pthread_mutex_init: likewise
		commons.o pthread_mutex_lock: likewise
		commons.o pthread_mutex_clocklock: likewise
		commons.o pthread_mutex_trylock: likewise
		commons.o pthread_mutex_unlock: likewise
		commons.o pthread_mutexattr_destroy: likewise
		commons.o pthread_mutexattr_init: likewise
		commons.o pthread_mutexattr_setpshared: likewise
		commons.o pthread_mutexattr_setrobust: likewise
		commons.o pthread_mutexattr_settype: likewise
		exclusion.o pthread_mutex_unlock: likewise
		mailbox.o pthread_mutex_consistent: likewise
		mailbox.o pthread_mutex_lock: likewise
		mailbox.o pthread_mutex_unlock: likewise
		routing.o raise: SIGPIPE as the kernel would raise it
		libc.o dlsym: the calls behind the doors
		settings.o _exit: help and SCTPEEL_ON_ERROR=abort, before main
		events/events.o _exit: settings that are told and end the program, before main
		fault.o nanosleep: SCTPEEL_INJECT
	TABLE
}

# contract: G01
@test "no memory, stdio, thread, signal or exit call but for a reason" {
	requires plain
	local watched='(m|c|re)alloc(array)?|free|.*memalign|strn?dup|v?f?printf|v?asprintf|fputs?c?|puts'
	watched+='|putc(har)?|fwrite|fopen|fdopen|fclose|fflush|std(out|err|in)|perror|setlocale|qsort'
	watched+='|pthread_.*|thrd_.*|call_once|signal|sig(action|procmask|wait.*|timedwait|suspend)'
	watched+='|raise|kill|abort|_?[eE]xit|quick_exit|atexit|on_exit|fork|vfork|exec.*|system'
	watched+='|popen|dl[a-z]+|n?sleep|nanosleep|usleep|alarm|setitimer|timer_.*|getenv'
	watched+='|(put|set|unset|clear)env|chdir|umask|setrlimit|prctl'
	run comm -23 <(object_imports | sed 's/__\([a-z]*\)_chk$/\1/' | grep -E " ($watched)\$" |
		sort -u) <(allowed | sed 's/:.*//' | sort)
	nothing 'not allowed, or for a reason that should stand here:'
	run comm -13 <(object_imports | sed 's/__\([a-z]*\)_chk$/\1/' | sort -u) \
		<(allowed | sed 's/:.*//' | sort)
	nothing 'allowed, and not needed any more:'
}

# contract: G01
@test "it is bound when loaded, and read-only from then on" {
	run readelf -dW "$SHIM"
	assert_output --regexp 'FLAGS_1.*NOW'
	assert_output --regexp 'FLAGS_1.*NODELETE'
	refute_output --partial TEXTREL
	refute_output --partial RPATH
	refute_output --partial RUNPATH
	assert_output --partial 'soname: [libsctpeel.so]'
	run readelf -lW "$SHIM"
	assert_output --partial GNU_RELRO
	assert_output --regexp 'GNU_STACK.* RW '
	refute_output --partial ' RWE '
	run readelf -SW "$SHIM"
	refute_output --partial .rel.text
}

# contract: G01
@test "library and command: bound when loaded, read-only relocations, guarded stack, checked copies" {
	requires plain
	local file
	for file in "$SHIM" "$BUILD/sctpeel"; do
		run readelf -dlW "$file"
		assert_output --regexp 'FLAGS[)] +BIND_NOW'
		assert_output --partial GNU_RELRO
		assert_output --regexp 'GNU_STACK.* RW '
		refute_output --partial ' RWE '
		run grep -oE '__stack_chk_fail|__(vf|f|vsn|sn)printf_chk' <(imported "$file")
		assert_line __stack_chk_fail
		assert_line --regexp _chk$
	done
	assert_equal "$(readelf -dW "$BUILD/sctpeel" | grep -c 'FLAGS_1.*PIE')" 1
}

# A library that is preloaded has its share of the static room for sure; it should leave most to
# those that are loaded later (glibc keeps 512 bytes for them).
# contract: G01
@test "thread-local memory is small, and there from the start" {
	requires plain
	run awk '$1 == "TLS" { print $6 }' <(readelf -lW "$SHIM")
	((output <= 64)) || fail "$output bytes"
	run grep -w __tls_get_addr <(imported "$SHIM")
	assert_output ''
}

# contract: G01
@test "it loads with LD_BIND_NOW, LD_BIND_NOT and with full relocation checks" {
	run_shim LD_BIND_NOW=1 /bin/echo out
	assert_output out
	run_shim LD_BIND_NOT=1 /bin/echo out
	assert_output out
	[ -z "${SANITIZER_PRELOAD-}" ] || return 0
	run grep -E 'undefined|not found' <(ldd -r "$SHIM" 2>&1)
	assert_output ''
}

# contract: G01
@test "dlopen and dlclose of it do no harm" {
	requires python3 plain
	run python3 -c "
import ctypes, os, _ctypes
for i in range(3):
	library = ctypes.CDLL('$SHIM', mode=os.RTLD_NOW)
	_ctypes.dlclose(library._handle)
r, w = os.pipe()
os.write(w, b'out'); print(os.read(r, 9).decode())"
	assert_success
	assert_output out
}

# contract: G01
@test "a program that does nothing is the same inside" {
	local variant
	for variant in SCTPEEL_POLICY=all SCTPEEL_POLICY=volume SCTPEEL_MODE=observe SCTPEEL_MODE=off; do
		both "${variant#*=}" "$variant" "$PROGRAMS/contract_guests" plain one 'two words'
	done
	[[ $(<"$(out_of all.shim)") = 'errno at main: 0'* ]]
	# not even after the library has failed at something
	run_shim SCTPEEL_TRACE=/nowhere/trace "$PROGRAMS/contract_guests" plain
	assert_line 'errno at main: 0'
}

@test "the tests that SECURITY.md names exist" {
	local file name total=0
	# shellcheck disable=SC2016  # the quotes are those of the text
	sed -n 's/^- `\(.*\)`$/\1/p' "$TESTS/SECURITY.md" >"$BATS_TEST_TMPDIR/named"
	while IFS=: read -r file name; do
		total=$((total + 1))
		grep -qF "@test \"${name# }\"" "$TESTS/$file" || fail "$file has no test '${name# }'"
	done <"$BATS_TEST_TMPDIR/named"
	[ "$total" -gt 20 ]
}
