# shellcheck shell=bash
# Once a bats run: what the tests need has been built, or building it is all that is said.
setup_suite() {
	local build=${BUILD:-build}
	cd "${BASH_SOURCE[0]%/*}/.." || return
	if [ ! -e "$build/libsctpeel.so" ]; then
		echo "$build/libsctpeel.so is not built: make programs" >&2
		return 1
	fi
}
