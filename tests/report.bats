# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# sctpeel report and simulate on traces that a program has made, whole and damaged.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" LD_PRELOAD NO_COLOR COLUMNS
	MAKER=$BUILD/unit/trace_maker
}

line() {
	printf '{"v":1,"ts":"2026-01-02T03:04:%02d.000000000Z","mono_ns":%d000000000,"seq":%d,"event":"%s","pid":7,"tid":7,"program":"p","socket.fd":3,"sctp.assoc.id":1%s}\n' \
		"$1" "$1" "$1" "$2" "$3"
}

verdict() {
	line "$1" decision ",\"network.peer.address\":\"192.0.2.1\",\"network.peer.port\":9,\"policy.hash\":\"12345678\",\"rule\":\"bulk\",\"rule.index\":2,\"verdict\":\"$2\",\"reason\":\"$3\",\"input\":{\"bytes\":1000,\"msgs\":10,\"age_ns\":5,\"assocs\":1,\"peeled\":0}"
}

@test "a trace at a glance: heavy ones, peels, waits before and after, descriptors" {
	"$MAKER" 200 20000 >trace
	run -0 --separate-stderr sctpeel report trace
	assert_equal "$stderr" ''
	assert_line --regexp '^200 associations, 2 peeled off, at most 2 at once \(descriptors\); 20,000 messages'
	assert_line --regexp '^  before the first peel +[0-9,]+ +[0-9.]+ ms'
	assert_line --regexp '^  after it, those that stayed +[0-9,]+ +1[0-9]{2} us'
	assert_line --regexp '^  10\.0\.0\.1:2905 .* peeled .* 20.0 us +100 +[0-9.]+ ms > [0-9.]+ us'
	assert_line --partial 'the whole text of policy'
	refute_output --partial $'\e'
}

@test "the fuzzer's seeds" {
	run -0 --separate-stderr "$BUILD/fuzz/trace_fuzz" "$TESTS"/fuzz/trace/*
	[ "${stderr##*$'\n'}" = '2 inputs' ]
}

@test "JSON and CSV have every association, and the sums are right" {
	requires jq
	"$MAKER" 200 20000 >trace
	run -0 sctpeel report --json --csv csv trace
	assert_equal "$(jq -c '[.summary.associations, .summary.messages, (.associations | map(.msgs) | add),
		(.associations | map(.bytes) | add) == .summary.bytes, .wait_before.count + .wait_shared.count + .wait_peeled.count,
		.associations[0].msgs_before, .associations[0].delay_ns]' <<<"$output")" '[200,20000,20000,true,20000,100,20000]'
	[ "$(wc -l <csv)" -eq 201 ]
	[ "$(grep -c $'\r$' csv)" -eq 201 ]
	[ "$(awk -F, '{ print NF }' csv | sort -u)" -eq 23 ]
}

@test "holds, refusals, and the time from the condition to the peel" {
	requires jq
	{
		verdict 1 hold 'shared with another process'
		verdict 3 hold 'descriptor budget'
		line 4 peel ',"by":"policy","effect":{"flags":[],"errno":24,"latency_ns":7}'
		verdict 5 peel 'bytes=1000 > 1'
		line 5 peel ',"by":"policy","effect":{"fd":1000,"flags":["CLOEXEC"],"errno":0,"latency_ns":7}'
	} >trace
	run -0 sctpeel report --json trace
	assert_equal "$(jq -c '[.associations[0].delay_ns, .associations[0].holds, .associations[0].fate,
		(.held | map(.what)), .refused[0].what, .rules[1].hold, .summary.missing]' <<<"$output")" \
		'[4000000000,2,"peeled",["shared with another process","descriptor budget"],"EMFILE",2,0]'
	run -0 sctpeel report trace
	assert_line --regexp '1 times, 1 associations: EMFILE'
}

@test "plain lines and those that need a whole JSON parser are read alike, also when damaged" {
	requires jq
	"$MAKER" 20 3000 >whole
	local seed
	for seed in 1 2 3 4; do
		"$MAKER" damage $seed <whole >damaged
		# what is not known is for the parser
		sed 's/{"v":1,/{"v":1,"other":null,/g' damaged >spaced
		sctpeel report --json damaged >ours 2>/dev/null
		sctpeel report --json spaced >theirs 2>/dev/null
		cmp ours theirs
		[ "$(jq .summary.unreadable ours)" -gt 10 ]
		[ "$(jq .summary.events ours)" -gt 2500 ]
	done
}

@test "names in any order, blanks anywhere, unknown names and what is given twice" {
	requires jq
	local other policy='peel if msgs >= 8 or sndblocked > 5'
	"$MAKER" 20 3000 >whole
	jq -cS . whole >sorted
	sed 's/[:,{}]/ & \t/g' sorted | sed 's/\([0-9]\) : \t/\1:/g' >spaced
	sed 's/"seq"/"later":[{}],"seq"/' whole >unknown
	# the last one counts, and of two objects nothing of the first
	sed 's/"bytes":\([0-9]*\),"wait_ns"/"bytes":1,"bytes":\1,"wait_ns"/
		s/"input"/"input":{"bytes":5,"sndblocked":9},"input"/' whole >twice
	for other in sorted spaced unknown twice; do
		cmp <(sctpeel report --json whole) <(sctpeel report --json $other)
		cmp <(sctpeel simulate -d -p "$policy" whole) <(sctpeel simulate -d -p "$policy" $other)
	done
}

@test "broken lines: file, line and what is wrong; what can be read is reported" {
	{
		line 1 msg ',"bytes":5'
		echo 'rubbish'
		line 2 msg ',"bytes":-5'
		line 3 msg ',"bytes":"5"'
		line 4 msg ',"sctp.stream.id":70000,"bytes":5'
		printf '\0\377\n'
		echo '{"v":2,"event":"msg","pid":7}'
		echo '[1]'
		head -c 70000 /dev/zero | tr '\0' x && echo
		# two writers at once, and one that was cut short
		line 5 msg ',"bytes":5' | tr -d '\n' && line 6 msg ',"bytes":5'
		line 7 msg ',"bytes":5' | head -c 60 && line 8 msg ',"bytes":5'
		echo '{"v":1,"event":"later","pid":7}'
		line 9 msg ',"bytes":9223372036854775808'
		line 10 assoc ',"state":"down","input":{"bytes":18446744073709551615,"msgs":18446744073709551615,"age_ns":1,"assocs":0,"peeled":0}'
		echo '{"v":1,"pid":7}'
	} >trace
	run -0 --separate-stderr sctpeel report --json trace
	assert_equal "$(jq -c '[.summary.events, .summary.unreadable, .summary.unknown, .associations[0].msgs > 9e18]' <<<"$output")" \
		'[5,11,1,true]'
	assert_equal "${stderr_lines[0]}" "sctpeel report: trace:2: column 7: '[' or '{' expected near 'rubbish'"
	[[ $stderr = *'trace:3: bytes: a whole number that is not negative was expected'* ]]
	[[ $stderr = *'trace:4: bytes: a whole number'* ]]
	[[ $stderr = *'trace:5: sctp.stream.id: 70000 is too large'* ]]
	[[ $stderr = *'trace:7: v: version 2'* ]]
	[[ $stderr = *'trace:8: an object was expected'* ]]
	[[ $stderr = *'trace:9: longer than any event'* ]]
	[[ $stderr = *'trace:11: '* ]]
	[[ $stderr = *'trace:13: bytes: 9223372036854775808 is too large'* ]]
}

@test "many broken lines are counted, not listed" {
	{
		line 1 msg ',"bytes":5'
		yes x | head -n 1000
	} >trace
	run -0 --separate-stderr sctpeel report trace
	[ "${#stderr_lines[@]}" -eq 11 ]
	assert_equal "${stderr_lines[10]}" 'sctpeel report: and 990 more lines that cannot be read'
	assert_line --partial '1,000 lines could not be read'
}

@test "what was rotated away comes first; what is missing or was dropped is said" {
	requires jq
	line 1 msg ',"bytes":1' >trace.1
	{
		line 4 msg ',"bytes":2'
		line 5 drop ',"dropped":1,"errno":28'
		line 9 msg ',"bytes":3'
	} >trace
	run -0 sctpeel report --json trace
	assert_equal "$(jq -c '.summary | [.events, .messages, .dropped, .missing]' <<<"$output")" '[4,3,1,4]'
	run -0 sctpeel report --json trace.1 trace
	assert_equal "$(jq .summary.events <<<"$output")" 4
	run -0 sctpeel report --json - <trace
	assert_equal "$(jq .summary.events <<<"$output")" 3
}

@test "events of several processes, one number used twice" {
	requires jq
	{
		line 1 msg ',"bytes":1' | sed 's/"seq":1/"seq":0/'
		line 1 msg ',"bytes":1' | sed 's/"pid":7/"pid":8/'
		line 1 msg ',"bytes":1'
		line 1 msg ',"bytes":1' | sed 's/"seq":1/"seq":0/'
	} >trace
	run -0 sctpeel report --json trace
	assert_equal "$(jq -c '[.summary.associations, .summary.missing]' <<<"$output")" '[3,0]'
}

@test "traces of two processes, one behind the other, the other way round, and line by line" {
	"$MAKER" 20 2000 >one
	sed 's/"pid":4242/"pid":5555/; s/"program":"maker"/"program":"other"/; s/"10\.0\.0\./"2001:db8::/' one >other
	paste -d '\n' one other >both
	sctpeel report --json one other >wanted
	[ "$(jq '.summary.associations' wanted)" -eq 40 ]
	# how many were open at once is counted as it is read
	local order parts='del(.summary.peeled_at_once) | .summary, .wait_before, .wait_shared, .wait_peeled,
		(.associations | sort_by(.pid, ."sctp.assoc.id"))'
	for order in 'other one' both; do
		# shellcheck disable=SC2086  # several words
		sctpeel report --json $order >seen
		cmp <(jq -S "$parts" wanted) <(jq -S "$parts" seen)
	done
	run -0 sctpeel simulate -p all both
	assert_line --regexp '^  10\.0\.0\.1:2905 \[4242\] '
	assert_line --regexp '^  \[2001:db8::1\]:2905 \[5555\] '
}

@test "nothing that a peer wrote reaches the terminal or the page as it is" {
	local hostile='\u001b]0;x\u0007<script>alert(1)</script>&\"'
	{
		line 1 msg ",\"network.peer.address\":\"$hostile\",\"network.peer.port\":9,\"bytes\":5"
		verdict 2 hold "$hostile"
	} | sed 's/192.0.2.1/<i>/' >trace
	run -0 sctpeel report --html page --csv csv --chrome chrome trace
	refute_output --partial $'\e'
	run ! grep -qE '<script|<i>|'$'\e' page
	grep -qF '&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;' page
	run ! env LC_ALL=C grep -qP '[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]' csv
	grep -qF '<script>' csv
	jq -e . chrome >/dev/null
	run -0 sctpeel simulate -p all trace
	refute_output --partial $'\e'
}

@test "no cell of the CSV is a formula" {
	local start
	for start in = + - @; do
		line 1 msg ",\"network.peer.address\":\"${start}cmd|x\",\"network.peer.port\":9,\"bytes\":5" >trace
		run -0 sctpeel report --csv csv trace
		grep -qF ",'${start}cmd|x" csv
		run ! grep -qE '(^|,)[=+@-][a-z]' csv
	done
}

@test "trace events that Perfetto takes" {
	requires jq
	"$MAKER" 200 20000 >trace
	sctpeel report --chrome - trace >chrome
	run -0 jq -c '[.traceEvents | group_by(.ph)[] | [.[0].ph, length]]' chrome
	assert_output '[["B",202],["C",1160],["E",202],["M",201],["i",4]]'
	jq -e '.traceEvents | all(.pid == 4242 and (.ph == "M" or .ts >= 0))' chrome >/dev/null
	# it drops slices that overlap: on each track one ends before, or when, the next begins
	jq -e '.traceEvents | map(select(.ph == "B" or .ph == "E")) | group_by(.tid) |
		all((map(.ph) | add | test("^(BE)+$")) and (map(.ts) | . == sort))' chrome >/dev/null
}

# The page looks at itself: a script that only the test adds measures what is drawn.
@test "the page in a browser: parts are there, labels lie inside the drawing and apart" {
	requires chromium
	local count
	for count in 5 5000; do
		"$MAKER" $count 20000 >trace
		sctpeel report --html page.html trace
		run ! grep -q '<script' page.html
		cat >>page.html <<-'HTML'
			<script>
			const out = [];
			for (const svg of document.querySelectorAll("svg")) {
				const box = svg.getBoundingClientRect();
				const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
				out.push(svg.id + " " + svg.querySelectorAll("g").length + " lanes " + (svg.querySelectorAll("rect,path").length > 3));
				for (const [name, a] of texts) {
					if (a.left < box.left || a.right > box.right || a.bottom > box.bottom + 1) out.push("outside: " + name);
					for (const [other, b] of texts)
						if (name < other && a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom)
							out.push("overlap: " + name + " and " + other);
				}
			}
			out.push(document.querySelectorAll("tr").length > 5 ? "tables" : "no tables");
			document.body.textContent = "[" + out.join("|") + "]";
			</script>
		HTML
		run -0 --separate-stderr chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/home" \
			--dump-dom "file://$PWD/page.html"
		assert_output --partial "[lanes $((count < 20 ? count : 20)) lanes true|waits 0 lanes true|tables]"
	done
}

@test "simulate: several policies side by side, and thresholds that isolate those in the way" {
	"$MAKER" 500 40000 >trace
	run -0 sctpeel simulate -p none -p 'peel if msgs >= 100' -p all trace
	assert_line --regexp '^  #1 [0-9a-f]{8} +0 +0 +- +100\.0 %  none$'
	assert_line --regexp '^  #2 [0-9a-f]{8} +[0-9]+ '
	assert_line --regexp '^  #3 [0-9a-f]{8} +500 +500 .* 0\.[0-9] %  all$'
	assert_line --regexp '^  10\.0\.0\.1:2905 +1\.[0-9]+ MiB '
	run -0 sctpeel simulate --suggest trace
	assert_output --partial '5 of 500 associations are behind'
	assert_line --regexp '^  peel if rate\(1s\) >= [0-9]+K/s$'
	assert_line --regexp '^  #1 [0-9a-f]{8} +5 +5 '
}

@test "simulate: wrong policies, no messages, no waits, what the kernel would have said" {
	verdict 1 keep x >trace
	run -65 --separate-stderr sctpeel simulate -p 'peel if byts > 1' trace
	[[ $stderr = *"unknown field 'byts' (did you mean 'bytes'?)"* ]]
	run -65 --separate-stderr sctpeel simulate -p all trace
	[[ $stderr = *'no message is in the trace'*'SCTPEEL_TRACE_EVENTS=all'* ]]
	line 2 msg ',"bytes":5' >>trace
	run -65 --separate-stderr sctpeel simulate --suggest trace
	[[ $stderr = *'does not say how long messages waited'* ]]
	run -0 sctpeel simulate -p 'peel if srtt > 1ms' trace
	assert_output --partial '#1 asks the kernel'
}

@test "wrong calls" {
	local command
	for command in report simulate; do
		run -64 sctpeel $command
		run -64 sctpeel $command --wrong x
		run -0 sctpeel $command --version
	done
	run -64 sctpeel simulate trace
	run -66 sctpeel report absent
	run -66 sctpeel report .
	run -66 sctpeel simulate -p all absent
	run -65 --separate-stderr sctpeel report /dev/null
	[[ $stderr = *'no event found in /dev/null' ]]
	line 1 msg ',"bytes":5' >trace
	run -73 sctpeel report --html /nowhere/x trace
	run -64 sctpeel report --html - --json trace
	run -74 sctpeel report --csv /dev/full trace
	run -74 bash -c 'sctpeel report trace >/dev/full'
}
