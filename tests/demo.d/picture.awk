# Draws the README's table of figures: awk -f tests/demo.d/picture.awk README.md >tests/demo.d/effect.svg

function trim(text) {
	gsub(/^[ *`]+|[ *`]+$/, "", text)
	return text
}

# "20.2 ms", "> 1.36 s": in ms
function milliseconds(text) {
	sub(/^> /, "", text)
	return text ~ /[0-9] s$/ ? text * 1000 : text + 0
}

function number(text) {
	gsub(/,/, "", text)
	return text + 0
}

function text(x, y, more, words) {
	gsub(/&/, "\\&amp;", words)
	gsub(/</, "\\&lt;", words)
	gsub(/>/, "\\&gt;", words)
	printf "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, more, words
}

function box(x, y, width, height, way) {
	printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" %s/>\n", x, y, width, height, look[way]
}

# Two bars for each row; height[row, way] is from 0 to 1.
function panel(left, title, note, height, label,    row, way, x, y) {
	text(left, 56, " font-weight=\"bold\"", title)
	text(left, 72, " font-size=\"11\" fill=\"#555\"", note)
	printf "<path d=\"M%d 270H%d\" stroke=\"#222\"/>\n", left, left + 360
	for (row = 1; row <= rows; row++) {
		for (way = 1; way <= 2; way++) {
			x = left + 12 + (row - 1) * 120 + (way - 1) * 52
			y = 270 - 165 * height[row, way]
			box(x, y, 44, 270 - y, way)
			text(x + 22, y - 5, " text-anchor=\"middle\" font-size=\"12\"", label[row, way])
		}
		text(left + 60 + (row - 1) * 120, 288, " text-anchor=\"middle\"", flooders[row])
	}
	text(left + 180, 310, " text-anchor=\"middle\" fill=\"#555\"", "flooding peers")
}

BEGIN {
	FS = "|"
	name[1] = "as it is"
	name[2] = "sctpeel run -p all"
	look[1] = "fill=\"url(#hatched)\" stroke=\"#a0522d\""
	look[2] = "fill=\"#1f6f8b\" stroke=\"#12485a\""
}

/^\| flooding peers/ {
	for (i = 2; i < NF; i++)
		column[trim($i)] = i
}

column["p99"] && NF > 6 && ($2 + 0 > 0 || rows) {
	if ($2 + 0 > 0)
		flooders[++rows] = trim($2)
	for (way = 1; way <= 2; way++)
		if (trim($3) == name[way]) {
			delay[rows, way] = trim($column["p99"])
			rate[rows, way] = trim($column["messages/s"])
		}
}

END {
	for (key in rate) {
		fastest = number(rate[key]) > fastest ? number(rate[key]) : fastest
		slowest = milliseconds(delay[key]) > slowest ? milliseconds(delay[key]) : slowest
	}
	for (key in rate) {
		tall[key] = number(rate[key]) / fastest
		# a logarithmic scale from 0.1 ms up
		long[key] = log(milliseconds(delay[key]) / 0.1) / log(slowest / 0.1)
	}
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 325\" width=\"860\" height=\"325\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">"
	print "<title>An echo server with flooding peers, as it is and under sctpeel: the README's table as bars</title>"
	print "<rect width=\"860\" height=\"325\" fill=\"#fff\"/>"
	print "<pattern id=\"hatched\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path d=\"M0 0H6V6H0Z\" fill=\"#e8b08a\"/><path d=\"M0 0V6\" stroke=\"#a0522d\" stroke-width=\"3\"/></pattern>"
	for (way = 1; way <= 2; way++) {
		box(way * 100 - 60, 14, 16, 12, way)
		text(way * 100 - 38, 25, "", name[way])
	}
	panel(40, "Messages a second", "more is better", tall, rate)
	panel(460, "Quiet peers' delay, p99", "less is better; logarithmic scale", long, delay)
	print "</svg>"
}
