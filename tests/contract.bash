# shellcheck shell=bash
# For the contract_*.bats files: `load contract` first.
#
#   contract PEELS SECTION TEST [VAR=VALUE...]
#         runs programs/contract_SECTION TEST natively and under the shim that peels everything:
#         both print the same and end well, and the shim has peeled at least PEELS associations.
#         With CONTRACT_POLICY set (tests/conformance) it peels by that, and all else is not asked
#   peels TRACE                 how many peels the shim has carried out, says a trace
#   events TRACE TEXT...        how many lines of a trace contain all these texts
load helper

contract() {
	local least=$1 section=$2 test=$3 trace=$BATS_TEST_TMPDIR/trace
	shift 3
	both "$test" SCTPEEL_TRACE="$trace" "$@" "$PROGRAMS/contract_$section" "$test"
	[[ $(<"$BATS_TEST_TMPDIR/$test.native.err") = *'exit status 0' ]] || {
		echo "the test itself fails, with the shim and without"
		return 1
	}
	[ -z "${CONTRACT_POLICY-}" ] || skip "the same under $CONTRACT_POLICY"
	peeled "$least" "$trace"
}

# A shim that does nothing passes no test; where messages come in parts it holds on several processors.
peeled() {
	local count
	count=$(peels "$2")
	[ "$count" -ge "$1" ] || [ "$(events "$2" '"verdict":"hold"' SCTP_PARTIAL_DELIVERY_POINT)" -gt 0 ] || {
		echo "$count peels, expected $1"
		return 1
	}
}

peels() {
	awk '/"event":"peel"/ && /"errno":0[,}]/ && !/"by":"program"/ { n++ } END { print n + 0 }' \
		"$1" 2>/dev/null || echo 0
}

events() {
	awk 'BEGIN { for (i = 2; i < ARGC; i++) { text[i] = ARGV[i]; ARGV[i] = "" } }
		{ for (i in text) if (!index($0, text[i])) next; n++ }
		END { print n + 0 }' "$@"
}
