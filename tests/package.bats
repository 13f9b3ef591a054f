# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# make install, uninstall and deb, and the example for systemd.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
}

# make with a copy of what is built, so that nothing but the places is new.
make_copy() {
	requires plain make cc
	if [ ! -d copy ]; then
		mkdir copy
		cp -a "$BUILD"/{shim,tools,libpure.a,libsctpeel.so,libsctpeel.map,sctpeel,libdir} copy/
	fi
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" BUILD="$PWD/copy" "$@"
}

# What lies under a folder, without the folder's name.
files_of() {
	(cd "$1" && find . ! -type d | sort)
}

# Whatever the kernel lacks is not the matter here.
doctor() {
	run "$1" doctor
	refute_line --partial 'libsctpeel.so is neither'
	assert_line "  ok    $2, version $(sctpeel --version | cut -d ' ' -f 2), loads"
}

@test "make install puts everything in its place, and uninstall takes it away" {
	make_copy install DESTDIR="$PWD/root" PREFIX=/opt/sctpeel
	run -0 files_of root
	assert_output - <<-'END'
		./opt/sctpeel/bin/sctpeel
		./opt/sctpeel/lib/libsctpeel.so
		./opt/sctpeel/share/bash-completion/completions/sctpeel
		./opt/sctpeel/share/doc/sctpeel/README.md
		./opt/sctpeel/share/doc/sctpeel/examples/sctpeel.conf
		./opt/sctpeel/share/man/man1/sctpeel.1
		./opt/sctpeel/share/man/man5/sctpeel-trace.5
		./opt/sctpeel/share/man/man7/sctpeel-policy.7
	END
	doctor root/opt/sctpeel/bin/sctpeel "$PWD/root/opt/sctpeel/lib/libsctpeel.so"
	run -0 grep -h LD_PRELOAD root/opt/sctpeel/share/doc/sctpeel/examples/sctpeel.conf
	assert_output Environment=LD_PRELOAD=/opt/sctpeel/lib/libsctpeel.so
	: >root/opt/sctpeel/lib/other.so
	make_copy uninstall DESTDIR="$PWD/root" PREFIX=/opt/sctpeel
	run -0 files_of root
	assert_output ./opt/sctpeel/lib/other.so
	[ ! -e root/opt/sctpeel/share/doc/sctpeel ]
}

@test "the command finds the library in a LIBDIR far from it" {
	make_copy install PREFIX="$PWD/here" LIBDIR="$PWD/there/deep"
	doctor here/bin/sctpeel "$PWD/there/deep/libsctpeel.so"
	make_copy uninstall PREFIX="$PWD/here" LIBDIR="$PWD/there/deep"
	run -0 files_of there
	assert_output ''
}

@test "where there is no /proc the library is found and tried as well" {
	[ "$EUID" -eq 0 ] || skip 'needs root to hide /proc'
	make_copy install PREFIX="$PWD/here"
	unshare --mount true 2>/dev/null || skip 'needs mount namespaces'
	# shellcheck disable=SC2016  # for the shell in there
	run unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$0/sctpeel" doctor' "$PWD/here/bin"
	assert_line "  ok    $PWD/here/lib/libsctpeel.so, version $(sctpeel --version | cut -d ' ' -f 2), loads"
	make_copy uninstall PREFIX="$PWD/here"
}

@test "systemd takes the example" {
	requires systemd-analyze
	mkdir server.service.d
	printf '[Service]\nExecStart=/bin/true\n' >server.service
	sed "s,@LIBDIR@,$BUILD," "$ROOT/tools/systemd/sctpeel.conf" >server.service.d/sctpeel.conf
	run -0 systemd-analyze verify --man=no ./server.service
	assert_output ''
	# its variables, and the manual's, are variables of ours with good values
	local line count=0
	while IFS= read -r line; do
		line=${line#*Environment=}
		line=${line%\"} line=${line#\"}
		export "${line//%%/%}"
		count=$((count + 1))
	done < <(grep -h Environment= "$ROOT/tools/man/sctpeel.1" "$ROOT/README.md" server.service.d/sctpeel.conf | grep SCTPEEL_ |
		grep -v '=@' | sed 's,/var/log/sctpeel,/tmp,; s,%N,server,')
	[ "$count" -ge 5 ]
	run sctpeel doctor
	assert_line '  ok    SCTPEEL_MODE=observe'
	refute_line --regexp '^  (fail|warn)  SCTPEEL_'
}

# Builds the package once and unpacks it: into ./root of the file's folder.
make_package() {
	requires plain dpkg-buildpackage dh
	cd "$BATS_FILE_TMPDIR" || return
	[ ! -d root ] || return 0
	env -u MAKEFLAGS -u MAKELEVEL make -C "$ROOT" BUILD="$PWD/packages" deb >log 2>&1 || {
		tail -n 50 log
		return 1
	}
	dpkg -x packages/deb/sctpeel_*.deb root
}

@test "the Debian package is of this version and has what is installed, and what it needs" {
	make_package
	run -0 dpkg-deb -f packages/deb/sctpeel_*.deb Package Version Depends
	assert_line 'Package: sctpeel'
	assert_line "Version: $(sctpeel --version | cut -d ' ' -f 2)"
	assert_line --regexp '^Depends: libc6 .*libelf1'
	run -0 files_of root
	assert_output --regexp '^\./usr/bin/sctpeel
\./usr/lib/[^/]*/sctpeel/libsctpeel\.so
\./usr/share/bash-completion/completions/sctpeel
\./usr/share/doc/sctpeel/README\.md\.gz
\./usr/share/doc/sctpeel/changelog\.gz
\./usr/share/doc/sctpeel/copyright
\./usr/share/doc/sctpeel/examples/sctpeel\.conf
\./usr/share/man/man1/sctpeel\.1\.gz
\./usr/share/man/man5/sctpeel-trace\.5\.gz
\./usr/share/man/man7/sctpeel-policy\.7\.gz$'
	doctor root/usr/bin/sctpeel "$(echo "$PWD"/root/usr/lib/*/sctpeel/libsctpeel.so)"
}

@test "lintian finds nothing in the Debian package" {
	requires lintian
	make_package
	run -0 lintian --allow-root --fail-on error,warning packages/deb/*.changes
	assert_output ''
}

@test "a server under the Debian package peels" {
	make_package
	requires jq
	# shellcheck disable=SC2016  # for the shell in there
	run -0 "$TESTS/guest" --timeout 60 bash -c '
		root/usr/bin/sctpeel run -p all -t trace.jsonl "$0/echo_plain" 5000 >server.out 2>&1 &
		until grep -q " 5000 " /proc/net/sctp/eps; do sleep 0.1; done
		"$0/peer" -n 2 -m 5 127.0.0.1 5000 && kill $!; wait $!; true' "$(realpath "$PROGRAMS")"
	run -0 jq -s 'map(select(.event == "peel" and .effect.errno == 0)) | length' trace.jsonl
	assert_output 2
}

@test "what a build needs is said to Debian and to tests/setup alike" {
	local needed
	needed=$(sed -n 's/^build=(libc6-dev \(.*\))/\1/p' "$TESTS/setup" | tr ' ' '\n' | sort)
	[ -n "$needed" ]
	run -0 sed -n 's/^Build-Depends: debhelper-compat (= 13), //p' "$ROOT/tools/debian/control"
	assert_equal "$(tr -d ',' <<<"$output" | tr ' ' '\n' | sort)" "$needed"
}
