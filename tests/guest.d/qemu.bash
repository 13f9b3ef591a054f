# shellcheck shell=bash
# A whole machine in qemu, with this machine's files over 9p. With --icount its clock counts the
# instructions that it executes, so that a measurement does not depend on who else is busy here.

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
			"sudo apt-get install ${missing[*]}"
	PATH=$PATH:/usr/sbin:/sbin
	kernel=$(fetch_kernel) || exit

	base=${TMPDIR:-/tmp}
	work=$(mktemp -d "$base/sctpeel-qemu.XXXXXX") || exit 69
	start_guard "$work" "$timeout"
	describe_command "$work" "$@"
	: >"$work/status"
	if [ "$icount" = yes ]; then
		# Nothing that is measured may wait for 9p: the programs are copied into memory first,
		# and what is written stays there.
		machine=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off' -rtc 'base=utc,clock=vm')
		root=memory
		list_files "$@" >"$work/files"
	else
		machine=(-accel "tcg,thread=multi" -smp "$smp")
		root=shared
	fi
	mkfifo "$work/out" "$work/err"
	cat "$work/out" {guard_fd}>&- &
	cats+=($!)
	cat "$work/err" >&2 {guard_fd}>&- &
	cats+=($!)
	(
		exec {guard_fd}>&-
		exec setsid qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
			"${machine[@]}" -cpu max -m "$mem" \
			-kernel "$kernel/vmlinuz" -initrd "$kernel/initrd" \
			-append "console=ttyS0 panic=-1 tsc=reliable clocksource=tsc mitigations=off \
				random.trust_cpu=on sctpeel.root=$root sctpeel.lib=${lib// /%20} \
				sctpeel.modules=${kernel// /%20}/lib/modules" \
			-serial "file:$work/log" \
			-device virtio-serial-pci \
			-chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,name=out,nr=1 \
			-chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,name=err,nr=2 \
			-virtfs "local,path=/,mount_tag=root,security_model=none,multidevs=remap$([ $root = memory ] && echo ,readonly=on)" \
			-virtfs "local,path=$work,mount_tag=work,security_model=none" \
			-device virtio-rng-pci \
			</dev/null >"$work/qemu" 2>&1
	) &
	pid=$!
	echo "$pid" >&"$guard_fd"
	if [ "$verbose" = yes ]; then
		touch "$work/log"
		tail -f --pid="$pid" "$work/log" >&2 {guard_fd}>&- &
	fi
	finish qemu "$pid" "$work" "${cats[@]}"
}

# Every --file, and the command itself if it is one, with the libraries that they load.
list_files() {
	local f all=("${files[@]}")
	f=$(type -P "$1") && all+=("$f")
	for f in "${all[@]}"; do
		[ -e "$f" ] || die 66 "--file $f: no such file" 'name a file or a folder that exists'
		realpath -s "$f"
	done
	find "${all[@]}" -type f \( -perm /111 -o -name '*.so*' \) -exec ldd {} + 2>/dev/null |
		awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u
}

# Prints the folder with the kernel: downloaded once, without installing it here, by any user.
fetch_kernel() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/sctpeel package dir tmp
	package=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/.*Depends: \(linux-image-[^ ]*-amd64\)$/\1/p' | head -n 1)
	dir=$cache/${package:-none}
	if [ ! -e "$dir/initrd" ] || [ "$lib/qemu-start" -nt "$dir/initrd" ]; then
		# without lists an older kernel will do
		if [ -z "$package" ]; then
			for dir in "$cache"/linux-image-*/initrd; do
				[ -e "$dir" ] && echo "${dir%/initrd}" && return
			done
			die 69 "apt knows no linux-image-amd64" "sudo apt-get update"
		fi
		mkdir -p "$cache" && tmp=$(mktemp -d "$cache/fetch.XXXXXX") || exit 69
		# shellcheck disable=SC2064  # the name is known now
		trap "rm -rf '$tmp'" EXIT
		if [ -e "$dir/vmlinuz" ]; then
			cp -al "$dir/." "$tmp"
		else
			echo "tests/guest: fetching the kernel $package (70 MB, once)" >&2
			unpack_kernel "$package" "$tmp" >&2 ||
				die 69 "the package $package could not be fetched" "sudo apt-get update; df $cache"
		fi
		make_initrd "$tmp" || die 69 "no initramfs could be made" "df $cache"
		rm -rf "$dir"
		# another guest may have been quicker: then its folder is as good
		mv -T "$tmp" "$dir" 2>/dev/null || [ -e "$dir/initrd" ]
	fi
	echo "$dir"
}

unpack_kernel() (
	cd "$2" && apt-get download -q "$1" 2>/dev/null && dpkg-deb --fsys-tarfile ./*.deb |
		tar x --wildcards './boot/vmlinuz-*' './lib/modules/*/kernel/net/*' \
			'./lib/modules/*/kernel/fs/*' './lib/modules/*/kernel/lib/*' \
			'./lib/modules/*/kernel/crypto/*' './lib/modules/*/kernel/arch/*' \
			'./lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/drivers/char/*' \
			'./lib/modules/*/kernel/drivers/net/*.ko' './lib/modules/*/modules.*' || exit
	rm -- *.deb
	mv boot/vmlinuz-* vmlinuz && rm -r boot
	depmod -b . "$(basename lib/modules/*)"
)

make_initrd() (
	cd "$1" || exit
	mkdir -p ramfs/bin ramfs/modules ramfs/dev ramfs/proc ramfs/sys ramfs/new ramfs/mem
	cp /bin/busybox ramfs/bin/
	cp "$lib/qemu-start" ramfs/init
	version=$(basename lib/modules/*)
	for m in virtio_pci virtio_console 9pnet_virtio 9p overlay virtio-rng; do
		modprobe -d . -S "$version" --show-depends "$m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >list
	while read -r f; do
		cp "$f" ramfs/modules/ && basename "$f"
	done <list >ramfs/modules/order
	(cd ramfs && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >initrd
	rm -r ramfs list
)
