# policies, then the .bats files, then what tests/run printed under each policy: a table of the
# contract's rows. Status 1 when a row failed, or was not tested.
FILENAME ~ /\/policies$/ { policy[policies++] = $0; next }

# "# contract: R01 R02" names the rows of the next test, "# held: D06 why" what is not peeled there
FILENAME ~ /\.bats$/ {
	if (/^# contract: /) {
		rows = substr($0, 13)
	} else if (/^# held: /) {
		held[$3] = substr($0, index($0, $3) + length($3) + 1)
	} else if (/^@test / && rows != "") {
		name = $0
		sub(/^@test ["']/, "", name)
		sub(/["'] \{$/, "", name)
		file = FILENAME
		sub(/.*\//, "", file)
		rows_of[file ": " name] = rows
		n = split(rows, each, " ")
		for (i = 1; i <= n; i++)
			tests[each[i]] = tests[each[i]] "\n  - " name
		rows = ""
	}
	next
}

FNR == 1 { context = FILENAME; sub(/.*\//, "", context) }
/^(ok     |FAILED |skipped) / {
	verdict = $1
	name = substr($0, 9)
	if (verdict == "skipped") {
		# the comparison was all that was asked
		if (sub(/: the same under .*/, "", name))
			verdict = "ok"
		else
			sub(/: [^:]*$/, "", name)
	}
	sub(/ \([0-9.]+ s\)$/, "", name)
	n = split(rows_of[name], each, " ")
	for (i = 1; i <= n; i++)
		count[each[i], context, verdict]++
}

function cell(row, context, ok, bad) {
	ok = count[row, context, "ok"] + 0
	bad = count[row, context, "FAILED"] + 0
	if (bad) {
		wrong = 1
		return "**" bad " of " (ok + bad) " failed**"
	}
	if (ok)
		return (row in held ? "held, " : "kept, ") ok
	if (policy[context] != "all")
		return "-"
	wrong = 1
	return "**not run**"
}

END {
	letters = split("R 10 N 5 S 8 O 6 X 4 W 5 D 7 P 5 T 6 G 5 F 7", letter, " ")
	print "# Which rows of the contract hold\n"
	print "Made by `make conformance` from a run of the tests; not to be edited. A cell says how many tests of"
	print "the row have passed under that policy; `-`: none of them depends on the policy. The program under"
	print "the shim does and prints what it does without, unless the row is held: then nothing is peeled off,"
	print "and the decision says why.\n"
	line = "| row |"; rule = "|---|"
	for (p = 0; p < policies; p++) {
		line = line " `" policy[p] "` |"
		rule = rule "---|"
	}
	print line "\n" rule
	for (l = 1; l < letters; l += 2)
		for (r = 1; r <= letter[l + 1]; r++) {
			row = sprintf("%s%02d", letter[l], r)
			if (row == "P02")
				continue
			line = "| " row " |"
			for (p = 0; p < policies; p++)
				line = line " " (row in tests ? cell(row, p) : "**not tested**") " |"
			if (!(row in tests))
				wrong = 1
			print line
		}
	print "\n## Held\n"
	for (l = 1; l < letters; l += 2)
		for (r = 1; r <= letter[l + 1]; r++) {
			row = sprintf("%s%02d", letter[l], r)
			if (row in held)
				print "- " row ": " held[row]
		}
	print "\n## What is tried\n"
	for (l = 1; l < letters; l += 2)
		for (r = 1; r <= letter[l + 1]; r++) {
			row = sprintf("%s%02d", letter[l], r)
			if (row in tests)
				print "- " row tests[row]
		}
	exit wrong
}
