# shellcheck shell=bash
# A whole machine in qemu. With --icount its clock counts the instructions that it executes, so that a
# measurement does not depend on who else is busy here; then everything lies in its memory, for to
# wait for a file would make that clock jump. Without, it has this machine's files over 9p.

# shellcheck disable=SC2154  # the options are the caller's
run_qemu() {
	local missing=() work base pid cats=() kernel machine root
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v cpio >/dev/null || missing+=(cpio)
	[ -x /bin/busybox ] && /bin/busybox --list | grep -qx switch_root || missing+=(busybox-static)
	PATH=$PATH:/usr/sbin:/sbin command -v depmod >/dev/null || missing+=(kmod)
	PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null || missing+=(iproute2)
	[ ${#missing[@]} -eq 0 ] ||
		die 69 "a guest in qemu needs packages that are not installed" \
			"sudo apt-get install --no-install-recommends ${missing[*]}"
	PATH=$PATH:/usr/sbin:/sbin
	kernel=$(fetch_kernel) || exit

	base=${TMPDIR:-/tmp}
	work=$(mktemp -d "$base/sctpeel-qemu.XXXXXX") || exit 69
	start_guard "$work" "$timeout"
	mkdir "$work/guest"
	describe_command "$work/guest" "$@"
	if [ "$icount" = yes ]; then
		root=memory
		machine=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off' -rtc 'base=utc,clock=vm')
		list_files "$@" >"$work/files" || exit
	else
		root=shared
		machine=(-accel 'tcg,thread=multi' -smp "$smp" -virtfs
			'local,path=/,mount_tag=root,security_model=none,multidevs=remap')
		: >"$work/files"
	fi
	{
		echo "root=$root"
		printf 'lib=%q\n' "$lib"
		printf 'modules=%q\n' "$kernel/lib/modules"
	} >"$work/guest/where"
	{
		cat "$kernel/initrd"
		(cd "$work" && find guest | cpio -o -H newc -R 0:0 --quiet)
		(cd / && cpio -o -H newc --quiet <"$work/files")
	} >"$work/initrd"

	mkfifo "$work/out" "$work/err"
	cat "$work/out" {guard_fd}>&- &
	cats+=($!)
	cat "$work/err" >&2 {guard_fd}>&- &
	cats+=($!)
	(
		exec {guard_fd}>&-
		exec setsid qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
			"${machine[@]}" -cpu max -m "$mem" -device virtio-rng-pci \
			-kernel "$kernel/vmlinux" -initrd "$work/initrd" \
			-append "console=ttyS0 $([ "$verbose" = yes ] || echo quiet) panic=-1 \
				tsc=reliable clocksource=tsc mitigations=off random.trust_cpu=on" \
			-serial "file:$work/log" -device virtio-serial-pci \
			-chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,nr=1 \
			-chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,nr=2 \
			-chardev "file,id=status,path=$work/status" \
			-device virtserialport,chardev=status,nr=3 </dev/null >"$work/log" 2>&1
	) &
	pid=$!
	echo "$pid" >&"$guard_fd"
	if [ "$verbose" = yes ]; then
		touch "$work/log"
		tail -f --pid="$pid" "$work/log" >&2 {guard_fd}>&- &
	fi
	finish qemu "$pid" "$work" "${cats[@]}"
}

# Every path of a guest in memory, without its leading slash, folders first: the command, each --file,
# what a shell script is likely to call, the libraries that these load, and the links on the way.
list_files() {
	local f all=() programs=() name
	for f in "${files[@]}" "$lib" "$(type -P "$1")"; do
		[ -n "$f" ] || continue
		[ -e "$f" ] || die 66 "--file $f: no such file" 'name a file or a folder that exists'
		mapfile -t -O "${#all[@]}" all < <(find "$(realpath -s "$f")")
	done
	for name in bash sh cat ls mkdir rm cp mv ln chmod touch mktemp sleep date env sed awk grep head tail \
		sort uniq wc tr cut seq timeout stat mkfifo stty dd od cmp diff ps nproc taskset prlimit \
		ip tc ss nstat sysctl mount umount unshare nsenter setsid modprobe sync halt dmesg uname \
		checksctp; do
		f=$(type -P "$name") && all+=("$f")
	done
	all+=(/etc/{passwd,group,hosts,nsswitch.conf,protocols,services,ld.so.cache,localtime} /usr/lib/locale/C.utf8/*)
	for f in "${all[@]}"; do
		if [ -f "$f" ] && { [ -x "$f" ] || [[ $f = *.so* ]]; }; then
			programs+=("$f")
		fi
	done
	mapfile -t -O "${#all[@]}" all < <(ldd "${programs[@]}" 2>/dev/null |
		awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u)
	for f in "${all[@]}" "$PWD" "${TMPDIR:-/tmp}" "$HOME" /tmp /bin /sbin /lib /lib64; do
		follow "$f"
	done | sort -u
}

# A path with the links in it resolved, what it links to, and their folders.
follow() {
	local f=$1 folder hops=0
	while [ $((hops += 1)) -lt 20 ] && { [ -e "$f" ] || [ -L "$f" ]; }; do
		folder=$(realpath "${f%/*}/") f=${folder%/}/${f##*/}
		while [ "${folder:-/}" != / ]; do
			echo "${folder#/}"
			folder=${folder%/*}
		done
		echo "${f#/}"
		[ -L "$f" ] || return 0
		folder=$(readlink "$f")
		case $folder in
		/*) f=$folder ;;
		*) f=${f%/*}/$folder ;;
		esac
	done
}

# Prints the folder with the kernel: downloaded once, without installing it here, by any user.
fetch_kernel() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/sctpeel package dir tmp
	package=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/.*Depends: \(linux-image-[^ ]*-amd64\)$/\1/p' | head -n 1)
	dir=$cache/${package:-none}
	if [ -z "$package" ]; then
		# without lists an older kernel will do
		for dir in "$cache"/linux-image-*/; do
			[ -e "$dir/vmlinuz" ] && break
		done
		[ -e "$dir/vmlinuz" ] || die 69 "apt knows no linux-image-amd64" "sudo apt-get update"
	fi
	if [ -e "$dir/initrd" ] && [ "$dir/initrd" -nt "$lib/qemu-start" ] &&
		[ "$dir/initrd" -nt "$lib/qemu.bash" ]; then
		echo "$dir"
		return
	fi
	mkdir -p "$cache" && tmp=$(mktemp -d "$cache/fetch.XXXXXX") || exit 69
	# shellcheck disable=SC2064  # the name is known now
	trap "rm -rf '$tmp'" EXIT
	if [ ! -e "$dir/vmlinuz" ]; then
		echo "tests/guest: fetching the kernel $package (70 MB, once)" >&2
		unpack_kernel "$package" "$tmp" ||
			die 69 "the package $package could not be fetched" "sudo apt-get update; df $cache"
		# another guest may have been quicker: then its folder is as good
		mv -T "$tmp" "$dir" 2>/dev/null || [ -e "$dir/vmlinuz" ] || exit 69
		mkdir -p "$tmp"
	fi
	unpack_image "$dir/vmlinuz" >"$tmp/vmlinux"
	make_initrd "$dir" "$tmp" || die 69 "no initramfs could be made" "df $cache"
	mv "$tmp"/{vmlinux,initrd} "$dir/" || die 69 "no initramfs could be made" "df $cache"
	echo "$dir"
}

unpack_kernel() (
	cd "$2" && { apt-get download -qq "$1" 2>"$2/apt" >&2 || { cat "$2/apt" >&2 && false; }; } &&
		rm "$2/apt" && dpkg-deb --fsys-tarfile ./*.deb |
		tar x --wildcards './boot/vmlinuz-*' './lib/modules/*/kernel/net/*' \
			'./lib/modules/*/kernel/fs/*' './lib/modules/*/kernel/lib/*' \
			'./lib/modules/*/kernel/crypto/*' './lib/modules/*/kernel/arch/*' \
			'./lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/drivers/char/*' \
			'./lib/modules/*/kernel/drivers/net/*.ko' './lib/modules/*/modules.*' || exit
	rm -- *.deb
	mv boot/vmlinuz-* vmlinuz && rm -r boot
	depmod -b . "$(basename lib/modules/*)"
)

# To unpack the kernel takes the guest three seconds each time. Where it is not packed as expected
# qemu gets it as it is.
unpack_image() {
	local start
	start=$(LC_ALL=C grep -abom 1 $'\xFD7zXZ' "$1" | cut -d : -f 1)
	# what follows the packed part makes xz complain
	tail -c "+$((start + 1))" "$1" | xz -dcq 2>/dev/null | head -c 1G |
		{ read -r -N 4 magic && [ "$magic" = $'\177ELF' ] && printf %s "$magic" && cat; } || cat "$1"
}

# make_initrd KERNEL FOLDER: the part of the initramfs that is the same for all runs.
make_initrd() (
	version=$(basename "$1"/lib/modules/*)
	cd "$2" || exit
	mkdir -p ramfs/guest/modules ramfs/dev ramfs/proc ramfs/sys ramfs/new ramfs/run ramfs/tmp
	cp /bin/busybox "$lib/qemu-start" ramfs/guest/ && mv ramfs/guest/qemu-start ramfs/init || exit
	modules() {
		for m; do
			modprobe -d "$1" -S "$version" --show-depends "$m"
		done 2>/dev/null | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
			while read -r f; do
				cp "$f" ramfs/guest/modules/ && basename "$f"
			done
	}
	modules "$1" virtio_pci virtio_console virtio-rng >ramfs/guest/modules/first
	modules "$1" 9pnet_virtio 9p >ramfs/guest/modules/shared
	modules "$1" sctp sctp_diag veth sch_netem >ramfs/guest/modules/memory
	[ -s ramfs/guest/modules/memory ] || exit
	(cd ramfs && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >initrd
	# what follows it must start at a multiple of four
	truncate -s %512 initrd
)
