# contract.rows, contexts.excused, the list of contexts, the .bats files, what tests/run printed of
# them, and what tests/contexts printed: tables of the contract's rows. Status 1 when a row failed or
# was not tested, or in one context could not be shown.
BEGIN {
	FS = "\t"
	what["Calls"] = "recvmmsg recvfrom recv read readv sctp_recvmsg sctp_recvv"
	what["Waits"] = "nonblock poll ppoll select pselect level edge oneshot exclusive"
	what["Sockets and threads"] = "mapped unmapped ipv6 multihomed small interleave threads"
	what["Moments of the peel"] = "later queued mid closing"
	base["Calls"] = "recvmsg"
	base["Waits"] = "blocking"
	base["Sockets and threads"] = "IPv4, one thread"
	base["Moments of the peel"] = "first message"
}

FILENAME ~ /\.rows$/ {
	row[++rows] = substr($0, 1, 3)
	text[row[rows]] = substr($0, 5)
	next
}

FILENAME ~ /\.excused$/ {
	if (!/^(#|$)/) {
		split($0, part, ": ")
		n = split(part[1], word, " ")
		fit = ""
		for (i = 3; i <= n; i++)
			fit = fit " `" word[i] "`"
		excused = excused "- `" word[1] " " word[2] "`," fit ": " substr($0, length(part[1]) + 3) "\n"
	}
	next
}

FILENAME ~ /\/contexts$/ { context[++contexts] = $0; next }

# "# contract: R01 R02" names the rows of the next test, "# held: D06 why" what is not peeled there
FILENAME ~ /\.bats$/ {
	if (/^# contract: /) {
		of_test = substr($0, 13)
	} else if (/^# held: /) {
		split($0, word, " ")
		held[word[3]] = substr($0, index($0, word[3]) + length(word[3]) + 1)
	} else if (/^@test / && of_test != "") {
		name = $0
		sub(/^@test ["']/, "", name)
		sub(/["'] \{$/, "", name)
		file = FILENAME
		sub(/.*\//, "", file)
		rows_of[file ": " name] = of_test
		now = of_test
		of_test = ""
		n = split(now, each, " ")
		for (i = 1; i <= n; i++)
			tests[each[i]] = tests[each[i]] "\n  - " name
	} else if (/^\tcontract [0-9]/) {
		split($0, word, " ")
		programs += !(word[3] " " word[4] in rows_of)
		if (index(" " rows_of[word[3] " " word[4]] " ", " " now " ") == 0)
			rows_of[word[3] " " word[4]] = rows_of[word[3] " " word[4]] " " now
	} else if (/^}/) {
		now = ""
	}
	next
}

# A test counts once in a column, with the verdict that says most: what could not be compared in one
# context may have been in another.
function rank(verdict) {
	return index("skipped none varies same FAILED differs", verdict)
}

function add(name, column, verdict,    n, each, i, before) {
	if (verdict == "either" || verdict == "alone")
		verdict = "same"
	n = split(rows_of[name], each, " ")
	for (i = 1; i <= n; i++) {
		use[each[i], column]
		before = came[each[i], column, name]
		if (before != "" && rank(before) >= rank(verdict))
			continue
		if (before != "")
			count[each[i], column, before]--
		came[each[i], column, name] = verdict
		count[each[i], column, verdict]++
	}
}

function is_moment(word) {
	return index(" " what["Moments of the peel"] " ", " " word " ")
}

FILENAME ~ /\/plain$/ {
	if (!/^(ok     |FAILED |skipped) /)
		next
	name = substr($0, 9)
	verdict = /^ok/ ? "same" : /^FAILED/ ? "FAILED" : "skipped"
	if (verdict == "skipped")
		sub(/: [^:]*$/, "", name)
	sub(/ \([0-9.]+ s\)$/, "", name)
	add(name, "plain", verdict)
	next
}

NF == 5 {
	compared += !($3 in seen)
	seen[$3]
	ran[$2, $1]++
	total[$1]++
	peels += $4
	if ($1 == "idle")
		next
	n = split($5, word, " ")
	for (i = 1; i <= n; i++)
		if ($4 > 0 || $1 == "none" || !is_moment(word[i]))
			add($3, word[i], $1)
	if ($2 ~ /msgs >=/ && ($4 > 0 || $1 == "none"))
		add($3, "later", $1)
	if ($1 != "same")
		list[$1] = list[$1] "- `" $3 "` in `" $2 "`\n"
}

# "of": how many there are, where some could not be compared.
function cell(row, column,    same, bad, lost) {
	same = count[row, column, "same"] + 0
	bad = count[row, column, "FAILED"] + count[row, column, "differs"] + 0
	lost = count[row, column, "none"] + count[row, column, "varies"] + count[row, column, "skipped"] + 0
	if (bad) {
		wrong = 1
		return "**" bad " of " (same + bad + lost) " differ**"
	}
	if (same)
		return (row in held ? "held " : "kept ") same (lost ? " of " same + lost : "")
	if (column != "plain" && !lost)
		return ""
	wrong = 1
	return lost ? "**not shown**" : "**not run**"
}

# How often each came out in a context; "": in those of a single word that are not listed.
function verdicts(of,    n, each, i, line, c, sum) {
	n = split("same either alone differs varies none idle", each, " ")
	for (i = 1; i <= n; i++) {
		sum = total[each[i]]
		for (c = 1; of == "" && c <= contexts; c++)
			sum -= ran[context[c], each[i]]
		line = line " " (of == "" ? sum : ran[of, each[i]] + 0) " |"
	}
	return line
}

function table(title,    n, column, i, r, line, rule, filled) {
	n = split(what[title], column, " ")
	line = "| | " base[title] " |"
	rule = "|---|---|"
	for (i = 1; i <= n; i++) {
		line = line " " column[i] " |"
		rule = rule "---|"
	}
	print "\n## " title "\n\n" line "\n" rule
	for (r = 1; r <= rows; r++) {
		line = "| " row[r] " | " cell(row[r], "plain") " |"
		filled = 0
		for (i = 1; i <= n; i++) {
			line = line " " cell(row[r], column[i]) " |"
			filled = filled || (row[r], column[i]) in use
		}
		if (filled)
			print line
	}
}

END {
	print "# Which rows of the contract hold\n"
	print "Made by `make conformance`; not to be edited. Each test is a program that runs natively and under the"
	print "shim. `kept`: what it does and prints is the same, peeled off or not. `held`: the same, and where the"
	print "row could not be kept nothing is peeled off, which the decision says with its reason. The number is of"
	print "tests, each run once.\n"
	print "| row | | a program may rely on |\n|---|---|---|"
	for (r = 1; r <= rows; r++) {
		line = text[row[r]]
		gsub(/\|/, "\\|", line)
		print "| " row[r] " | " (row[r] in tests ? cell(row[r], "plain") : "**not tested**") " | " line " |"
		if (!(row[r] in tests))
			wrong = 1
	}
	print "\n## What is held, and why\n"
	for (r = 1; r <= rows; r++)
		if (row[r] in held)
			print "- " row[r] ": " held[row[r]]
	print "\n## Contexts\n"
	print "The tests' programs again, each in all of these contexts: a policy, and in what way the program does"
	print "what it does (tests/programs/context.h). Each comparison is made once: one run natively, one under the"
	print "shim. `same`: both say the same. `either`: natively the program says one thing or another, and in one"
	print "of four more runs what it has said under the shim. `alone`: only in a second attempt, with nothing else"
	print "at work; in the first, eight run at once. `differs`: in neither. Three kinds show nothing and are not"
	print "counted below: `varies` (as `differs`, but natively it is not always the same either), `none` (natively"
	print "it does not end well in that context; its words are tried one by one then) and `idle` (none of the"
	print "words has an effect, or nothing is peeled off).\n"
	print "| context | same | either | alone | differs | varies | none | idle |\n|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= contexts; i++)
		print "| `" context[i] "` |" verdicts(context[i])
	print "| words one by one |" verdicts("")
	printf "\n%d of %d programs; %d comparisons that count, with %d peels. Below a test counts once for each word that had\n",
		compared, programs, total["same"] + total["either"] + total["alone"] + total["differs"], peels
	print "an effect in it. `kept 5 of 6`: one more has use for the word, but shows nothing. An empty field:"
	print "no test of the row has use for the word. A row that has use for none is left out."
	table("Calls")
	table("Waits")
	table("Sockets and threads")
	table("Moments of the peel")
	if (list["differs"] != "") {
		print "\n## Different under the shim\n\n" list["differs"]
		wrong = 1
	}
	if (list["either"] != "")
		print "\n## Natively one thing or another, and one of them under the shim\n\n" list["either"]
	if (list["alone"] != "")
		print "\n## The same with nothing else at work\n\n" list["alone"]
	if (list["varies"] != "")
		print "\n## Not shown: natively not always the same either\n\n" list["varies"]
	if (list["none"] != "")
		print "\n## Not shown: natively it does not end well there\n\n" list["none"]
	if (excused != "")
		print "\n## Words that do not fit a test\n\n" excused
	print "\n## The tests\n"
	for (r = 1; r <= rows; r++)
		if (row[r] in tests)
			print "- " row[r] tests[row[r]]
	exit wrong
}
