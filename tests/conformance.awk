# contract.rows, the list of contexts, the .bats files, what tests/run printed of them, and what
# tests/contexts printed: tables of the contract's rows. Status 1 when a row failed or was not tested.
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
		if (index(" " rows_of[word[3] " " word[4]] " ", " " now " ") == 0)
			rows_of[word[3] " " word[4]] = rows_of[word[3] " " word[4]] " " now
	} else if (/^}/) {
		now = ""
	}
	next
}

function add(name, column, verdict,    n, each, i, seen) {
	n = split(rows_of[name], each, " ")
	for (i = 1; i <= n; i++)
		if (!(each[i] in seen)) {
			seen[each[i]]
			count[each[i], column, verdict]++
		}
}

FILENAME ~ /\/plain$/ {
	if (!/^(ok     |FAILED |skipped) /)
		next
	name = substr($0, 9)
	verdict = substr($0, 1, 2) == "ok" ? "same" : substr($0, 1, 7)
	if (verdict == "skipped")
		sub(/: [^:]*$/, "", name)
	sub(/ \([0-9.]+ s\)$/, "", name)
	add(name, "plain", verdict)
	next
}

NF == 5 {
	ran[$1]++
	peels += $4
	words = $5
	n = split(words, word, " ")
	for (i = 1; i <= n; i++)
		if ($4 > 0 || !index(" " what["Moments of the peel"] " ", " " word[i] " "))
			add($3, word[i], $1)
	if ($2 ~ /msgs >=/ && $4 > 0)
		add($3, "later", $1)
	if ($1 == "differs" || $1 == "varies")
		list[$1] = list[$1] "- `" $3 "` in `" $2 "`\n"
}

function cell(row, column,    same, bad) {
	same = count[row, column, "same"] + 0
	bad = count[row, column, "FAILED"] + count[row, column, "differs"] + 0
	if (bad) {
		wrong = 1
		return "**" bad " of " (same + bad) " differ**"
	}
	if (same)
		return (row in held ? "held " : "kept ") same
	if (column != "plain")
		return ""
	wrong = 1
	return "**not run**"
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
			filled += count[row[r], column[i], "same"]
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
	print "tests.\n"
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
	print "what it does (tests/programs/context.h). A test counts for a word if the word had an effect in it and,"
	print "where it peels off at all, something was peeled off. A field is empty where no test of the row has use"
	print "for the word, and a row is left out that has use for none: it has to do with no receive, wait or socket"
	print "of such kinds.\n"
	for (i = 1; i <= contexts; i++)
		print "- `" context[i] "`"
	printf "\n%d comparisons, with %d peels: %d the same, %d not. ", ran["same"] + ran["differs"], peels,
		ran["same"], ran["differs"]
	printf "%d runs in which the context has made no difference,\n%d that do not end well natively either, ",
		ran["idle"], ran["none"]
	printf "and %d whose course natively varies as well.\n", ran["varies"]
	table("Calls")
	table("Waits")
	table("Sockets and threads")
	table("Moments of the peel")
	if (list["differs"] != "")
		print "\n## Different under the shim\n\n" list["differs"]
	if (list["varies"] != "")
		print "\n## Natively not always the same either\n\n" list["varies"]
	print "\n## The tests\n"
	for (r = 1; r <= rows; r++)
		if (row[r] in tests)
			print "- " row[r] tests[row[r]]
	exit wrong
}
