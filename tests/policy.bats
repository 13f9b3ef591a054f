# shellcheck shell=bash disable=SC2154  # $output, $stderr and $lines are bats'
# guest: no
# What the rules decide, with a clock of the test's own.

load helper

# Runs the driver over the script on standard input.
drive() {
	run -0 "$BUILD/unit/policy_driver"
}

# Second N on the driver's clock.
s() {
	echo $(($1 * 1000000000))
}

@test "the first rule that matches wins; what none matches is kept" {
	drive <<-'END'
		policy keep if ppid 60; big: peel if bytes >= 1M; keep if msgs > 3; rest: peel if msgs > 2
		msg 1048576
		set ppid 60
		eval
		set ppid 3
		eval
		assoc b
		msg 1 2
		eval
		msg 1
		eval
		msg 1
		eval
	END
	assert_output - <<-'END'
		keep #1 | ppid=60
		peel big | bytes=1048576 >= 1M
		keep - | big: bytes=2 < 1M; rest: msgs=2 <= 2
		peel rest | msgs=3 > 2
		keep #3 | msgs=4 > 3
	END
}

@test "every comparison, on both sides of the threshold" {
	local op
	for op in '=' '!=' '<' '<=' '>' '>='; do
		drive <<-END
			policy peel if msgs $op 3
			msg 1 2
			verdict
			msg 1
			verdict
			msg 1
			verdict
		END
		case $op in
		'=') assert_output $'keep -\npeel #1\nkeep -' ;;
		'!=') assert_output $'peel #1\nkeep -\npeel #1' ;;
		'<') assert_output $'peel #1\nkeep -\nkeep -' ;;
		'<=') assert_output $'peel #1\npeel #1\nkeep -' ;;
		'>') assert_output $'keep -\nkeep -\npeel #1' ;;
		'>=') assert_output $'keep -\npeel #1\npeel #1' ;;
		esac
	done
}

@test "comparisons at the ends of 64 bits" {
	drive <<-'END'
		policy a: peel if bytes < 0; b: peel if bytes > 18446744073709551615; keep if bytes >= 18446744073709551615; d: peel if bytes <= 0
		verdict
		set bytes 18446744073709551615
		verdict
		set bytes 1
		verdict
	END
	assert_output $'peel d\nkeep #3\nkeep -'
}

@test "and, or, not and parentheses" {
	local i expected=''
	for i in 0 1 2 3 4 5 6 7; do
		# (a and not b) or c
		if (((i & 1) && !(i & 2) || (i & 4))); then
			expected+=$'peel #1\npeel #1\n'
		else
			expected+=$'keep -\nkeep -\n'
		fi
		echo 'policy peel if (assocs = 1 and not stream 1) or ppid 1'
		echo "set assocs $((i & 1))"
		echo "set stream $((i >> 1 & 1))"
		echo "set ppid $((i >> 2 & 1))"
		echo verdict
		echo 'policy peel if not ((assocs != 1 || stream 1) && ! ppid = 1)'
		echo "set assocs $((i & 1))"
		echo "set stream $((i >> 1 & 1))"
		echo "set ppid $((i >> 2 & 1))"
		echo verdict
	done >"$BATS_TEST_TMPDIR/script"
	drive <"$BATS_TEST_TMPDIR/script"
	assert_output "${expected%$'\n'}"
}

@test "a window counts a steady stream exactly and forgets what is past" {
	drive <<-END
		policy peel if bytes(1s) > 99999 and msgs(1s) >= 100 and rate(2s) >= 100000/s and msgrate(2s) = 100/s
		at $(s 10)
		msg 1000 500 10000000
		eval
		add 500000000
		eval
		add $(s 1)
		eval
		add $(s 100)
		eval
	END
	assert_output - <<-'END'
		peel #1 | bytes(1s)=100000 > 99999 and msgs(1s)=100 >= 100 and rate(2s)=100000 >= 100000 and msgrate(2s)=100
		keep - | bytes(1s)=50000 <= 99999
		keep - | bytes(1s)=0 <= 99999
		keep - | bytes(1s)=0 <= 99999
	END
}

@test "a burst counts in full for at least the window and is gone after two" {
	local offset
	for offset in 0 1 500000000 999999999; do
		drive <<-END
			policy peel if bytes(1s) >= 1000
			at $(($(s 100) + offset))
			msg 1000
			verdict
			at $(($(s 101) - 1))
			verdict
			at $(s 102)
			eval
		END
		assert_output $'peel #1\npeel #1\nkeep - | bytes(1s)=0 < 1000'
	done
}

@test "windows survive a clock that stands still, goes back or jumps by centuries" {
	drive <<-END
		policy peel if bytes(1s) >= 1M
		at $(s 5)
		msg 1048576
		verdict
		at 0
		msg 1
		eval
		at 18446744073709551615
		eval
		msg 7 3
		eval
		at $(s 1)
		msg 1048576
		eval
	END
	assert_output - <<-'END'
		peel #1
		peel #1 | bytes(1s)=1048577 >= 1M
		keep - | bytes(1s)=0 < 1M
		keep - | bytes(1s)=21 < 1M
		peel #1 | bytes(1s)=1048597 >= 1M
	END
}

@test "sums and rates stay at the top instead of wrapping round" {
	drive <<-END
		policy peel if bytes(1h) >= 18446744073709551615 and rate(1ns) >= 18446744073709551615/s
		at $(s 5)
		msg 18446744073709551615 3
		eval
	END
	assert_output --partial 'peel #1 | bytes(1h)=18446744073709551615 >= 18446744073709551615 and rate(1ns)=18446744073709551615 >= '
}

@test "for: the condition must hold without interruption" {
	drive <<-END
		policy slow: peel if unacked > 3 for 2s
		at $(s 10)
		set unacked 9
		eval
		add 1999999999
		eval
		add 1
		eval
		set unacked 3
		eval
		set unacked 4
		eval
		add $(s 1)
		eval
		set answers 0
		eval
		set answers 1
		add $(s 1)
		eval
		add 2500000000
		eval
	END
	assert_output - <<-'END'
		keep - pending | unacked=9 > 3 for 0s of 2s
		keep - pending | unacked=9 > 3 for 1.999s of 2s
		peel slow | unacked=9 > 3 for 2s
		keep - | unacked=3 <= 3
		keep - pending | unacked=4 > 3 for 0s of 2s
		keep - pending | unacked=4 > 3 for 1s of 2s
		keep - | unacked not told by the kernel
		keep - pending | unacked=4 > 3 for 0s of 2s
		peel slow | unacked=4 > 3 for 2.5s
	END
}

@test "for: a rule behind the one that decided keeps its time, and is reset" {
	drive <<-'END'
		policy keep if ppid 60; peel if assocs > 1 for 1s
		at 0
		set assocs 2
		eval
		set ppid 60
		add 600000000
		eval
		add 600000000
		set ppid 1
		eval
		set ppid 60
		set assocs 1
		eval
		set assocs 2
		set ppid 1
		eval
	END
	assert_output - <<-'END'
		keep - pending | #2: assocs=2 > 1 for 0s of 1s
		keep #1 | ppid=60
		peel #2 | assocs=2 > 1 for 1.2s
		keep #1 | ppid=60
		keep - pending | #2: assocs=2 > 1 for 0s of 1s
	END
}

@test "for without if, and pending while a later rule decides" {
	drive <<-END
		policy old: peel for 1m; big: peel if bytes > 10
		at $(s 1)
		msg 11
		eval
		add $(s 60)
		eval
		assoc b
		eval
	END
	assert_output - <<-'END'
		peel big pending | bytes=11 > 10
		peel old | any association for 60s
		keep - pending | old: any association for 0s of 1m; big: bytes=0 <= 10
	END
}

@test "for: each association has its own time" {
	drive <<-END
		policy peel if assocs > 0 for 1s
		at $(s 1)
		verdict
		add 600000000
		assoc b
		verdict
		add 400000000
		verdict
		assoc a
		verdict
	END
	assert_output $'keep - pending\nkeep - pending\nkeep - pending\npeel #1'
}

@test "share: parts of one socket add up to the whole" {
	drive <<-END
		policy hog: peel if share(1s) > 50%
		at $(s 10)
		msg 600 10 10000000
		assoc b
		msg 399 10 10000000
		eval
		assoc c
		msg 1 10 10000000
		eval
		assoc a
		eval
		add $(s 9)
		eval
		sizes
	END
	assert_output - <<-'END'
		keep - | share(1s)=39.93% <= 50%
		keep - | share(1s)=0.1% <= 50%
		peel hog | share(1s)=60% > 50%
		keep - | share(1s)=0% <= 50%
		24 24
	END
}

@test "age, idle and avgsize" {
	drive <<-END
		policy peel if age >= 2s and idle < 1ms and avgsize = 150
		at $(s 3)
		assoc b
		eval
		add $(s 2)
		msg 100
		msg 200
		eval
		add 1000000
		eval
	END
	assert_output - <<-'END'
		keep - | age=0s < 2s
		peel #1 | age=2s >= 2s and idle=0s < 1ms and avgsize=150
		keep - | idle=1ms >= 1ms
	END
}

@test "a time that is cut for reading never hides on which side it is" {
	drive <<-END
		policy peel if age > 5s
		at $(s 1)
		assoc b
		at $(($(s 6) + 7))
		eval
		at $(($(s 7) + 123456789))
		eval
	END
	assert_output $'peel #1 | age=5.000000007s > 5s\npeel #1 | age=6.123s > 5s'
}

@test "streams and payload protocol identifiers: sets and ranges" {
	drive <<-'END'
		policy a: peel if ppid 3,46,60-63; b: peel if stream != 0-7; c: peel if stream > 5
		set ppid 46
		eval
		set ppid 64
		eval
		set stream 8
		eval
		set stream 6
		eval
		set ppid 61
		set message 0
		eval
	END
	assert_output - <<-'END'
		peel a | ppid=46 in 3,46,60-63
		keep - | a: ppid=64 not in 3,46,60-63; b: stream=0 in 0-7; c: stream=0 <= 5
		peel b | stream=8 not in 0-7
		peel c | stream=6 > 5
		keep - | a: ppid unknown before the first message; b: stream unknown before the first message; c: stream unknown before the f...
	END
}

@test "prefixes: IPv4, IPv6 and one inside the other" {
	drive <<-'END'
		policy ten: peel if peer 10.9.0.0/16; doc: peel if peer 2001:db8:8000::/33; one: peel if local 192.0.2.1; six: peel if local ::/0
		set peer 10.9.255.1 5
		eval
		set peer ::ffff:10.9.255.1 5
		eval
		set peer 10.10.0.0 5
		eval
		set peer 2001:db8:8000::1 5
		eval
		set peer 2001:db8:7fff:ffff::1 5
		eval
		set local 192.0.2.1 6
		eval
		set local ::ffff:192.0.2.2 6
		eval
		set local fe80::1 6
		eval
		set peer none
		set local unix
		eval
	END
	assert_output - <<-'END'
		peel ten | peer=10.9.255.1 in 10.9.0.0/16
		peel ten | peer=10.9.255.1 in 10.9.0.0/16
		keep - | ten: peer=10.10.0.0 not in 10.9.0.0/16; doc: peer=10.10.0.0 not in 2001:db8:8000::/33; one: local unknown; six: loca...
		peel doc | peer=2001:db8:8000::1 in 2001:db8:8000::/33
		keep - | ten: peer=2001:db8:7fff:ffff::1 not in 10.9.0.0/16; doc: peer=2001:db8:7fff:ffff::1 not in 2001:db8:8000::/33; one: ...
		peel one | local=192.0.2.1
		keep - | ten: peer=2001:db8:7fff:ffff::1 not in 10.9.0.0/16; doc: peer=2001:db8:7fff:ffff::1 not in 2001:db8:8000::/33; one: ...
		peel six | local=fe80::1 in ::/0
		keep - | ten: peer unknown; doc: peer unknown; one: local unknown; six: local unknown
	END
}

@test "every prefix length holds its first and last address and not the next" {
	local length base=$((10 << 24)) size script=''
	address() {
		echo "$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"
	}
	for length in 7 8 9 15 16 17 23 24 25 31 32; do
		size=$((1 << (32 - length)))
		script+="policy peel if peer $(address $base)/$length"$'\n'
		for at in $base $((base + size - 1)) $((base + size)) $((base - 1)); do
			script+="set peer $(address "$at") 1"$'\n'"verdict"$'\n'
		done
	done
	drive <<<"$script"
	assert_equal "$(uniq -c <<<"$output" | awk '{print $1 $2}' | tr '\n' ' ')" \
		"$(for length in 7 8 9 15 16 17 23 24 25 31 32; do printf '2peel 2keep '; done)"
	drive <<-'END'
		policy peel if peer 0.0.0.0/0
		set peer 255.255.255.255 1
		verdict
		policy peel if peer 2001:db8::/64
		set peer 2001:db8::ffff:ffff:ffff:ffff 1
		verdict
		set peer 2001:db8:0:1:: 1
		verdict
		policy peel if peer 2001:db8::8000:0:0:0/65
		set peer 2001:db8::8000:0:0:1 1
		verdict
		set peer 2001:db8::7fff:0:0:1 1
		verdict
	END
	assert_output $'peel #1\npeel #1\nkeep -\npeel #1\nkeep -'
}

@test "ports" {
	drive <<-'END'
		policy a: peel if dport 1-1023; b: peel if sport = 2905
		set peer 10.0.0.1 1023
		eval
		set peer 2001:db8::1 1024
		eval
		set local 2001:db8::2 2905
		eval
	END
	assert_output - <<-'END'
		peel a | peer.port=1023 in 1-1023
		keep - | a: peer.port=1024 not in 1-1023; b: local.port unknown
		peel b | local.port=2905
	END
}

@test "what is not known never decides, whichever way round it is asked" {
	local condition
	for condition in 'ppid 60' 'ppid != 60' 'not ppid 60' 'not ppid != 60' 'stream < 70' 'not stream < 70' \
		'peer 10.0.0.0/8' 'not peer 10.0.0.0/8' 'dport 5' '!dport 5' 'rwnd > 0' 'not rwnd > 0' \
		'retrans >= 0' 'not retrans < 0' 'not (ppid 60 or peer ::/0)' 'not (ppid 60 and rwnd > 0)'; do
		echo "policy peel if $condition"
		echo 'set message 0'
		echo 'set answers 0'
		echo verdict
	done >"$BATS_TEST_TMPDIR/script"
	drive <"$BATS_TEST_TMPDIR/script"
	assert_equal "$(uniq -c <<<"$output" | awk '{print $1, $2}')" '16 keep'
}

@test "the kernel is asked only for what decides, and once for each kind" {
	drive <<-'END'
		policy peel if bytes > 10 and rwnd < 5K and cwnd > 1 and unacked > 1 and retrans > 1 and outofseq > 1
		eval
		asked
		msg 11
		eval
		asked
		set rwnd 1
		set cwnd 2
		set unacked 2
		set retrans 2
		set outofseq 2
		verdict
		asked
		eval
		asked
		policy peel if bytes > 10
		msg 11
		eval
		asked
	END
	assert_output - <<-'END'
		keep - | bytes=0 <= 10
		0
		keep - | cwnd=0 <= 1
		1
		peel #1
		2
		peel #1 | bytes=11 > 10 and rwnd=1 < 5K and cwnd=2 > 1 and unacked=2 > 1 and retrans=2 > 1 and outofseq=2 > 1
		2
		peel #1 | bytes=11 > 10
		0
	END
}

@test "every figure reaches its field" {
	local field number=100
	for field in rwnd unacked pending cwnd retrans outofseq sndblocked assocs peeled; do
		number=$((number + 1))
		echo "policy peel if $field = $number"
		echo "set $field $number"
		echo verdict
		echo "set $field 1"
		echo verdict
	done >"$BATS_TEST_TMPDIR/script"
	drive <"$BATS_TEST_TMPDIR/script"
	assert_equal "$output" "$(for ((i = 0; i < 9; i++)); do printf 'peel #1\nkeep -\n'; done)"
	drive <<-'END'
		policy peel if srtt >= 30us
		set srtt 30000
		eval
	END
	assert_output 'peel #1 | srtt=30us >= 30us'
}

@test "reasons name what decided" {
	drive <<-'END'
		policy peel if (bytes > 100 and msgs > 5) or (stream 3 and not ppid 60)
		msg 200 1
		eval
		set stream 3
		eval
		set ppid 60
		eval
		msg 200 5
		eval
		policy x: peel
		eval
		policy keep if bytes > 3; peel if bytes > 5
		msg 4
		eval
		policy keep if bytes > 3
		eval
		policy keep
		eval
	END
	assert_output - <<-'END'
		keep - | msgs=1 <= 5 and stream=0 != 3
		peel #1 | stream=3 and ppid=0 != 60
		keep - | msgs=1 <= 5 and ppid=60
		peel #1 | bytes=1200 > 100 and msgs=6 > 5
		peel x | rule without a condition
		keep #1 | bytes=4 > 3
		keep - | no rule matches
		keep #1 | rule without a condition
	END
}

@test "a reason that is too long is cut, and says so" {
	drive <<-END
		policy $(for ((i = 0; i < 200; i++)); do printf 'rule-with-a-long-name-%d: peel if msgs > 1000; ' $i; done)
		eval
	END
	assert_output --regexp '^keep - \| rule-with-a-long-name-0: msgs=0 <= 1000; .*\.\.\.$'
	assert_equal "${#output}" $((119 + 9))
}

@test "state is small, shared by equal windows, and absent when nothing needs it" {
	drive <<-'END'
		policy volume
		sizes
		policy peel if bytes(5s) > 1 and rate(5s) > 1/s and rate(5000ms) < 5/s and share(5s) > 1%
		sizes
		policy peel if msgs(5s) > 1 and msgrate(5s) > 1/s and bytes(5s) > 1 for 3s; keep for 1s
		sizes
	END
	assert_output $'0 0\n24 24\n64 0'
}

@test "a policy that can never peel says so" {
	drive <<-'END'
		policy none
		never
		policy keep; peel
		never
		policy keep if bytes > 3
		never
		policy keep for 5s; peel
		never
		policy keep if bytes > 3; peel if msgs > 1000000
		never
		policy all
		never
	END
	assert_output $'never\nnever\nnever\nmaybe\nmaybe\nmaybe'
}

@test "random policies print to what they are and decide alike" {
	drive <<<'fixpoint 1500'
	assert_output '1500 policies print to what they are'
}

@test "the fuzzer's seeds" {
	run -0 "$BUILD/fuzz/policy_fuzz" "$TESTS"/fuzz/policy/*
	assert_output --regexp '^[1-9][0-9]* inputs$'
}
