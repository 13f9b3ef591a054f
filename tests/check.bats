# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# What sctpeel check says of policies, right and wrong.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}"
}

check() {
	sctpeel check "$@"
}

# The canonical form that check prints.
canonical() {
	check "$1" | sed '1,/^canonical form:$/d; /^$/,$d'
}

# contract: F07
@test "each mistake is shown where it is, with what was meant" {
	local policy text line expected count=0
	while IFS= read -r policy; do
		expected='sctpeel: check'
		while IFS= read -r line && [ -n "$line" ]; do
			expected+=$line$'\n'
		done
		printf -v text %b "$policy"
		run -65 --separate-stderr check "$text"
		assert_equal "$policy"$'\n'"$stderr" "$policy"$'\n'"${expected%$'\n'}"
		assert_equal "$output" ''
		count=$((count + 1))
	done <"$TESTS/policies/bad.cases"
	[ "$count" -ge 120 ]
}

@test "each policy has one canonical form, which is its own canonical form" {
	local policy text expected form count=0
	while IFS= read -r policy; do
		[[ $policy != '# A policy'* ]] || continue
		IFS= read -r expected
		printf -v text %b "$policy"
		printf -v expected %b "$expected"
		form=$(canonical "$text")
		assert_equal "$policy: $form" "$policy: $expected"
		assert_equal "$(check "$form" | tail -n 1)" "$(check "$text" | tail -n 1)"
		assert_equal "$(canonical "$form")" "$form"
		count=$((count + 1))
	done <"$TESTS/policies/good.cases"
	[ "$count" -ge 40 ]
}

@test "the hash stays what it is, and differs for what differs" {
	run -0 check 'keep if peer 10.9.0.0/16; bulk: peel if rate(5s) > 10M/s for 3s'
	assert_line 'hash: 52f48c07'
	run -0 check $'keep if dst = 10.9.0.0/16 # ours\nbulk: peel if rate(5000ms) gt 10240K/s for 3s'
	assert_line 'hash: 52f48c07'
	run -0 check 'keep if peer 10.9.0.0/16; bulk: peel if rate(5s) > 10M/s for 4s'
	refute_line 'hash: 52f48c07'
	run -0 check 'peel if ppid 46,3'
	assert_line "$(check 'peel if ppid 3,46' | tail -n 1)"
}

@test "presets: none, all and volume, in any case" {
	run -0 check none
	assert_line 'This policy never peels.'
	assert_equal "$(canonical none)" keep
	assert_equal "$(canonical All)" peel
	run -0 check ' VOLUME '
	assert_line --regexp '^volume: peel if '
	assert_equal "$(canonical volume)" "$(canonical "$(canonical volume)")"
}

@test "rules are explained in words" {
	run -0 check 'keep if peer 10.9.0.0/16 or dst ::1; bulk: peel if rate(5s) > 10M/s and (msgs >= 3 or not stream 0-7) for 3s'
	assert_line --index 0 "rule 1: keeps an association where it is if the peer's address is in 10.9.0.0/16 or the peer's address is ::1."
	assert_line --index 1 'rule 2 (bulk): peels an association off if the number of bytes received a second in the last 5s is more than 10M/s (10485760 bytes a second) and (the number of messages received so far is at least 3 or the stream of the message is not in 0-7), without interruption for 3s.'
	assert_line --index 2 'otherwise: keeps the association where it is.'
	run -0 check 'peel for 5s; keep'
	assert_line --index 0 'rule 1: peels an association off once it has been seen for 5s.'
	assert_line --index 1 'rule 2: keeps an association where it is, whatever it does.'
	refute_line --partial otherwise
}

@test "every field has its line in the help, and parses" {
	run -0 check help
	local field count=0
	while read -r field; do
		field=${field//[,()]/ }
		assert_output --partial "${field%% *}"
		count=$((count + 1))
	done < <(sed -n 's/^FIELD([A-Z_]*, "\([^"]*\)".*/\1/p' "$ROOT/shim/policy/fields.def")
	[ "$count" -ge 24 ]
	# the examples are good policies
	while read -r field; do
		check "$field" >/dev/null
	done < <(sed -n '/^Examples:/,$p' <<<"$output" | sed -n '/^  [a-z]/p')
}

@test "a policy from a file and from standard input" {
	printf 'keep if peer 10.9.0.0/16\n# the others\npeel\n' >good.policy
	run -0 check @good.policy
	assert_line 'peel'
	run -0 check - <good.policy
	assert_line 'peel'
	printf 'keep\n\tpeel if byts > 3\n' >bad.policy
	run -65 --separate-stderr check @bad.policy
	assert_equal "$stderr" $'sctpeel: bad.policy:2:10: rule 2: unknown field \'byts\' (did you mean \'bytes\'?)\n  \tpeel if byts > 3\n  \t        ^^^^'
	run -65 --separate-stderr check - <bad.policy
	assert_equal "${stderr_lines[0]}" "sctpeel: standard input:2:10: rule 2: unknown field 'byts' (did you mean 'bytes'?)"
	echo volume >preset.policy
	run -0 check @preset.policy
	assert_line --regexp '^volume: '
}

# contract: F07
@test "a file that is missing, unreadable, a directory, no text, empty, too long" {
	run -66 check @missing.policy
	assert_line --index 0 'sctpeel check: missing.policy: No such file or directory'
	run -66 check @.
	assert_line --index 0 'sctpeel check: .: Is a directory'
	run -66 check @
	assert_line --index 0 --partial 'No such file or directory'
	: >empty.policy
	run -65 check @empty.policy
	assert_line --index 0 --partial 'empty.policy: there is no rule in it'
	printf 'peel\0keep' >nul.policy
	run -65 check @nul.policy
	assert_line --index 0 --partial 'not a text file'
	{ printf '%065535d' 0 | tr 0 '#'; echo; } >longest.policy
	run -65 check @longest.policy
	assert_line --index 0 --partial 'there is no rule in it'
	echo >>longest.policy
	run -65 check @longest.policy
	assert_line --index 0 'sctpeel: longest.policy: the policy is longer than 64 KiB'
	[ "${#lines[@]}" -eq 1 ]
	if [ "$EUID" -ne 0 ]; then
		echo keep >secret.policy
		chmod 0 secret.policy
		run -66 check @secret.policy
		assert_line --index 0 --partial 'Permission denied'
	fi
}

@test "limits: rules, conditions, ranges" {
	run -0 check "$(for ((i = 0; i < 256; i++)); do echo "r$i: peel if msgs > $i"; done)"
	run -65 check "$(for ((i = 0; i < 257; i++)); do echo "r$i: peel if msgs > $i"; done)"
	assert_line --index 0 --regexp ':257:1: rule 257: too many rules \(256 at most\)$'
	printf 'peel if msgs > 1' >many.policy
	for ((i = 1; i < 4096; i++)); do printf ' msgs>%d' $i; done >>many.policy
	run -0 check @many.policy
	printf ' msgs>9' >>many.policy
	run -65 check @many.policy
	assert_line --index 0 --partial 'too many conditions (4096 at most)'
	run -0 check "peel if ppid $(seq -s, 1 2 127)"
	run -65 check "peel if ppid $(seq -s, 1 2 129)"
	assert_line --index 0 --partial 'too many ranges (64 at most)'
	run -65 check "peel if $(printf '%040000d' 0 | tr 0 '(')"
	assert_line --index 0 --partial 'nested too deep'
	run -0 check "peel if $(for ((i = 0; i < 4000; i++)); do printf '!not '; done) msgs > 1"
	assert_line 'peel if msgs > 1'
}

@test "the command line of check" {
	run -64 check
	assert_line --index 0 'sctpeel check: which policy?'
	run -64 check peel if msgs
	assert_line --index 0 'sctpeel check: one policy, not 3 arguments: put it in quotes'
	run -64 check --nonsense
	assert_line --index 0 "sctpeel check: unknown option '--nonsense'"
	run -0 --separate-stderr check --help
	assert_line --index 0 'usage: sctpeel check POLICY'
	assert_equal "$stderr" ''
	run -0 check --version
	assert_output --regexp '^sctpeel [0-9]+\.[0-9]+\.[0-9]+$'
	run -74 bash -c 'sctpeel check volume >/dev/full'
	assert_output --partial 'standard output: No space left on device'
}

@test "the commands of sctpeel" {
	run -64 sctpeel
	assert_line --index 0 'sctpeel: which command?'
	run -64 sctpeel chek volume
	assert_line --index 0 "sctpeel: unknown command 'chek' (did you mean 'check'?)"
	run -64 sctpeel frobnicate
	assert_line --index 0 "sctpeel: unknown command 'frobnicate'"
	run -64 sctpeel --nonsense
	assert_line --index 0 "sctpeel: unknown option '--nonsense'"
	run -0 --separate-stderr sctpeel --help
	assert_line --index 0 'usage: sctpeel COMMAND [ARGUMENT...]'
	assert_equal "$stderr" ''
	run -0 sctpeel --version
	assert_output --regexp '^sctpeel [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "messages cannot move the cursor of the terminal" {
	run -64 sctpeel $'\e[2Jrun'
	assert_line --index 0 "sctpeel: unknown command '?[2Jrun'"
	run -66 check $'@\e[2J.policy'
	assert_line --index 0 --partial '?[2J.policy'
	printf 'keep # \033[2J\xc3\xa9\x9b2J\npeel if \033[2J' >escape.policy
	run -65 check @escape.policy
	refute_output --partial $'\e'
}
