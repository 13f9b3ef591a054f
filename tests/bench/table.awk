# For tests/bench/run: the figures beside their targets. json: where to write them too.
# Reads targets (fields by |), then figures (MEASUREMENT WAY WHAT NUMBER).

function trim(text) {
	gsub(/^ +| +$/, "", text)
	return text
}

# What the k-th round of a row's figure is.
function figure(row, k,    one, other, way) {
	if (split(form[row], way, "[/-]") == 1)
		return value[of[row], form[row], k]
	one = value[of[row], way[1], k]
	other = value[of[row], way[2], k]
	return form[row] ~ /-/ ? one - other : other == 0 ? 0 : one / other
}

function rounds_of(row,    way, n, m) {
	n = split(form[row], way, "[/-]")
	m = count[of[row], way[1]] + 0
	return n > 1 && count[of[row], way[2]] + 0 < m ? count[of[row], way[2]] + 0 : m
}

function sort(list, n,    i, k, kept) {
	for (i = 2; i <= n; i++) {
		kept = list[i]
		for (k = i - 1; k >= 1 && list[k] > kept; k--)
			list[k + 1] = list[k]
		list[k + 1] = kept
	}
}

function shown(number, unit) {
	if (unit == "ratio" || unit == "calls")
		return sprintf("%.2f", number)
	return sprintf(number < 100 && number > -100 && number != int(number) ? "%.1f" : "%.0f", number)
}

function meets(number, row) {
	if (target[row] == "")
		return ""
	return (target[row] ~ /^<=/ ? number <= bound[row] + 0 : number >= bound[row] + 0) ? "yes" : "NO"
}

FNR == NR {
	if ($0 ~ /^#/ || split($0, field, "|") < 6)
		next
	rows++
	name[rows] = trim(field[1])
	of[rows] = trim(field[2]) SUBSEP trim(field[3])
	form[rows] = trim(field[4])
	target[rows] = trim(field[5])
	bound[rows] = target[rows]
	sub(/^[<>]= */, "", bound[rows])
	unit[rows] = trim(field[6])
	next
}

{
	key = $1 SUBSEP $3
	value[key, $2, ++count[key, $2]] = $4
}

END {
	printf "%-52s %10s %-22s %-12s %s\n", "", "median", "[least, most]", "target", "met"
	for (row = 1; row <= rows; row++) {
		n = rounds_of(row)
		if (n == 0)
			continue
		split("", list)
		for (k = 1; k <= n; k++)
			list[k] = figure(row, k)
		sort(list, n)
		median = list[int((n + 1) / 2)]
		verdict = meets(median, row)
		met += verdict == "yes"
		missed += verdict == "NO"
		printf "%-52s %10s %-22s %-12s %s\n", name[row], shown(median, unit[row]),
			"[" shown(list[1], unit[row]) ", " shown(list[n], unit[row]) "]" (unit[row] == "ratio" ? "" : " " unit[row]),
			target[row], verdict
		lines = lines sprintf("%s\n  {\"name\":\"%s\",\"figure\":\"%s\",\"unit\":\"%s\",\"median\":%g,\"least\":%g,\"most\":%g,\"rounds\":%d,\"target\":\"%s\",\"met\":%s}",
			lines == "" ? "" : ",", name[row], form[row], unit[row], median, list[1], list[n], n,
			target[row], verdict == "" ? "null" : verdict == "yes" ? "true" : "false")
	}
	printf "\n%d targets met, %d missed\n", met, missed
	if (json)
		print "[" lines "\n]" > json
	exit met + missed == 0
}
