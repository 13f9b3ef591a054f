# For tests/demo: the results of its runs, as tests/demo.d/runs prints them, side by side.
# total: how many there must be; fewer end with status 1.

function thousands(n,    text) {
	text = sprintf("%d", n)
	while (match(text, /[0-9][0-9][0-9][0-9]($|,)/))
		text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
	return text
}

function time(us,    more) {
	more = us ~ /\+$/ ? "> " : ""
	us += 0
	if (us >= 1e6)
		return more sprintf("%.2f s", us / 1e6)
	if (us >= 1e5)
		return more sprintf("%.0f ms", us / 1e3)
	return more sprintf(us >= 1e4 ? "%.1f ms" : "%.2f ms", us / 1e3)
}

# How many times better, where that is worth a word.
function times_better(a, b) {
	if (b <= 0 || a / b < 1.5)
		return "      "
	return sprintf(a / b < 9.95 ? "%4.1f x" : "%4.0f x", a / b)
}

function cell(load, way, what,    key, native) {
	key = load " " way
	native = load " native"
	if (!(key in ran))
		return "failed"
	if (what == "delivered")
		return value[key, what] " of " value[key, "sent"] (way == "native" ? "" : "       ")
	if (what == "rate" && way == "native")
		return thousands(value[key, what])
	if (what == "rate")
		return thousands(value[key, what]) " " times_better(value[key, what], value[native, what])
	if (way == "native")
		return time(value[key, what])
	return time(value[key, what]) " " times_better(value[native, what] + 0, value[key, what] + 0)
}

function row(head, text, load, what) {
	printf "%-10s%-26s%16s%23s%23s\n", head, text, cell(load, "native", what),
		cell(load, "all", what), cell(load, "default", what)
}

$1 == "result" {
	ran[$2 " " $3 " " $4] = 1
	for (i = 5; i <= NF; i++) {
		split($i, pair, "=")
		value[$2 " " $3 " " $4, pair[1]] = pair[2]
	}
	results++
}

$1 == "failed" {
	failures = failures "  " $0 "\n"
}

$1 == "result" || $1 == "failed" {
	if (!(($2 " " $3) in known)) {
		known[$2 " " $3] = 1
		order[++loads] = $2 " " $3
	}
}

END {
	title["plain"] = "echo_plain: echoes, 100,000 instructions of work a message"
	title["darn"] = "sctp_darn -l -e of lksctp-tools: echoes, and prints what it gets"
	title["test"] = "sctp_test -l of lksctp-tools: prints what it gets (delay: until it has printed)"
	for (i = 1; i <= loads; i++) {
		split(order[i], part, " ")
		if (part[1] != server) {
			server = part[1]
			printf "%s%s\n", (i > 1 ? "\n" : ""), title[server]
			printf "%-36s%16s  %21s  %21s\n", "", "as it is", "sctpeel run -p all   ",
				"sctpeel run       "
		}
		row(part[2] (part[2] == 1 ? " floods" : " flood"), "handled a second", order[i], "rate")
		row("", "quiet messages delivered", order[i], "delivered")
		row("", "their delay: half within", order[i], "p50")
		row("", "             99 % within", order[i], "p99")
		row("", "             all within", order[i], "max")
	}
	print "\nDelivered: the server had handled it 0.1 s after the last was sent. One that it had not"
	print "counts with the time that it had waited by then (>)."
	if (results < total) {
		printf "\n%d of %d runs failed.\n%s", total - results, total, failures
		exit 1
	}
}
