# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# What a user reads: --help, the manual pages and the completion, each complete and in step with the others.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD
	MAN=$ROOT/tools/man
}

# The commands that sctpeel --help lists.
commands() {
	sctpeel --help | sed -nE 's/^  ([a-z]+) .*/\1/p'
}

# The options that a command's --help lists, without those that every command has.
help_options() {
	sctpeel "$1" --help | sed -nE 's/^ +(-)/\1/p' | sed 's/  .*//' |
		grep -oE -- '(^|[ ,])--?[A-Za-z][-a-z]*' | tr -d ' ,' | general
}

# Those that the command's section of the manual explains.
man_options() {
	sed -n "/^\.Ss $1\$/,/^\.S[sh] [^$]/p" "$MAN/sctpeel.1" | sed -n '/^\.It Fl/p' |
		grep -oE 'Fl -?[A-Za-z][-a-z]*' | sed 's/^Fl /-/' | general
}

general() {
	grep -vxE -- '-h|--help|--version|-V' | sort
}

# The words after .It in a section of a page.
items() {
	sed -n "/^\.S[sh] $2/,/^\.S[sh]/p" "$MAN/$1" | sed -n 's/^\.It //p'
}

# What bash offers for the last of these words.
complete_line() {
	bash -c 'shopt -u progcomp; . "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_sctpeel "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf "%s\n" "${COMPREPLY[@]}"' \
		"$ROOT/tools/completion/sctpeel" "$@"
}

@test "each --help fits a screen of 80 columns and 24 rows" {
	local command
	for command in '' $(commands); do
		# shellcheck disable=SC2086  # nothing for sctpeel itself
		run -0 --separate-stderr sctpeel $command --help
		[ "${#lines[@]}" -ge 5 ]
		[ "$(wc -l <<<"$output")" -le 24 ] || fail "sctpeel $command --help is too long"
		[ "$(wc -L <<<"$output")" -le 80 ] || fail "sctpeel $command --help is too wide"
		[[ $output = "usage: sctpeel ${command:-COMMAND}"* ]]
	done
}

@test "the manual pages are clean" {
	requires mandoc man
	run -0 mandoc -Tlint -W warning "$MAN"/*.[1-8]
	assert_output ''
	local page
	for page in "$MAN"/*.[1-8]; do
		run -0 man --warnings -l "$page"
		refute_output --partial 'warning:'
		assert_output --partial NAME
	done
}

@test "each command and each of its options is in its --help and in the manual, and no other" {
	assert_equal "$(sed -nE 's/^\.Cm ([a-z]+)$/\1/p' "$MAN/sctpeel.1" | sort -u | grep -xF "$(commands)")" \
		"$(commands | sort)"
	local command
	for command in $(commands); do
		grep -q "^\.Ss $command\$" "$MAN/sctpeel.1" || fail "sctpeel(1) has no section on $command"
		assert_equal "$command: $(man_options "$command")" "$command: $(help_options "$command")"
	done
}

@test "the completion offers each command and each option, and no other" {
	assert_equal "$(complete_line sctpeel '' | sort)" "$({ commands && printf '%s\n' --help --version; } | sort)"
	local command
	for command in $(commands); do
		assert_equal "$command: $(complete_line sctpeel "$command" - | general)" \
			"$command: $(help_options "$command")"
		run -0 complete_line sctpeel "$command" --
		assert_line --help
	done
}

@test "completion of values, files and programs" {
	run -0 complete_line sctpeel d
	assert_output doctor
	run -0 complete_line sctpeel run -m o
	assert_output $'observe\noff'
	run -0 complete_line sctpeel run --mode = obs
	assert_output observe
	run -0 complete_line sctpeel run -p vo
	assert_output volume
	: >some.policy
	run -0 complete_line sctpeel check @so
	assert_output @some.policy
	run -0 complete_line sctpeel check h
	assert_output help
	run -0 complete_line sctpeel run -t st
	assert_output stderr
	# the same letter of another command
	run -0 complete_line sctpeel top -s m
	assert_output $'msgrate\nmsgs'
	run -0 complete_line sctpeel simulate -s so
	assert_output some.policy
	# what follows the program is the program's
	run -0 complete_line sctpeel run -p all bas
	assert_line bash
	run -0 complete_line sctpeel run -p all -- cat -
	refute_output --partial --policy
	run -0 complete_line sctpeel run cat so
	assert_output some.policy
	run -0 complete_line sctpeel doctor bas
	assert_line bash
}

@test "each variable is in sctpeel(1), with its default" {
	local expected
	expected=$(SCTPEEL_POLICY=help shim true 2>&1 | sed -nE 's/^  (SCTPEEL_[A-Z_]+).*/\1/p')
	[ "$(wc -l <<<"$expected")" -ge 19 ]
	assert_equal "$(items sctpeel.1 ENVIRONMENT | sed 's/^Ev //')" "$expected"
	local name value text
	text=$(sed -n '/^\.Sh ENVIRONMENT/,/^\.Sh/p' "$MAN/sctpeel.1" | tr '\n' ' ')
	while IFS='=' read -r name value; do
		[[ ${text#*"Ev $name "} = *"$value"* ]] || fail "$name: $value is not told"
	done < <(SCTPEEL_POLICY=help shim true 2>&1 | sed -nE 's/^  (SCTPEEL_[A-Z_]+=.+)/\1/p')
}

@test "each field of the policy is in sctpeel-policy(7)" {
	assert_equal "$(items sctpeel-policy.7 'Fields' | sed -E 's/^Cm ([a-z.]+).*/\1/')" \
		"$(sed -nE 's/^FIELD\([A-Z_]*, "([^"]*)".*/\1/p' "$ROOT/shim/policy/fields.def")"
	# the examples are good policies
	local line count=0
	while IFS= read -r line; do
		run -0 sctpeel check "$line"
		count=$((count + 1))
	done < <(sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$MAN/sctpeel-policy.7" | grep -v '^\.')
	[ "$count" -ge 4 ]
}

@test "each kind of event and each name in one is in sctpeel-trace(5)" {
	requires jq
	SCTPEEL_TRACE=$PWD/trace SCTPEEL_TRACE_EVENTS=all "$BUILD/unit/events_driver" kinds message:100
	local word words
	words=$(sed -nE 's/^(\.It )?\.?Li //p; s/^\.It Li //p' "$MAN/sctpeel-trace.5" | tr -d ',' | tr ' ' '\n')
	for word in $(jq -r '.event, (paths(type != "null") | map(strings) | .[]) | select(test("^SCTPEEL_") | not)' trace | sort -u) drop dropped; do
		grep -qxF -- "$word" <<<"$words" || fail "sctpeel-trace(5) says nothing of $word"
	done
	assert_equal "$(items sctpeel-trace.5 Events | sed 's/^Li //' | sort | paste -sd ' ')" \
		'assoc call decision drop error msg peel start stop'
}

@test "each probe is in sctpeel-trace(5)" {
	assert_equal "$(items sctpeel-trace.5 PROBES | sed 's/^Li //' | sort)" \
		"$(grep -rhoE 'DTRACE_PROBE[0-9]\(sctpeel, [a-z_]+' "$ROOT/shim" | sed 's/.* //' | sort -u)"
}

@test "the README: its picture shows its table, its policies are good, its files are there" {
	local word
	run -0 awk -f "$TESTS/demo.d/picture.awk" "$ROOT/README.md"
	diff - "$TESTS/demo.d/effect.svg" <<<"$output" ||
		fail 'awk -f tests/demo.d/picture.awk README.md >tests/demo.d/effect.svg'
	[ "$(grep -c '<rect' <<<"$output")" -ge 9 ]
	while IFS= read -r word; do
		run -0 sctpeel check "$word"
	done < <(grep -E '^ +sctpeel (run|check|simulate)' "$ROOT/README.md" | grep -oE "'[^']+'" | tr -d "'" &&
		sed -n 's/^    \(keep if .*\)/\1/p' "$ROOT/README.md")
	# shellcheck disable=SC2016  # backquotes of Markdown
	while IFS= read -r word; do
		[ -e "$ROOT/$word" ] || fail "README.md: $word is not there"
	done < <(grep -oE '\]\([^)]+\)|`(shim|tests|tools)/[^` ]+' "$ROOT/README.md" | tr -d '])(`')
}
