# shellcheck shell=bash disable=SC2154  # $output and $lines are bats'
# guest: no
# sctpeel top on a terminal: what it shows and how it answers to keys.

load helper

setup() {
	requires tmux
	cd "$BATS_TEST_TMPDIR" || return
	unset "${!SCTPEEL_@}" NO_COLOR TMUX
	mkdir live
	export SCTPEEL_LIVE=$PWD/live
	DRIVER=$BUILD/unit/live_driver
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || screen || true
	tmux -S "$BATS_TEST_TMPDIR/tmux" kill-server 2>/dev/null 3>&- || true
	clean_up
}

# A terminal with a command in it; WIDTHxHEIGHT, then words.
terminal() {
	tmux -f /dev/null -S tmux new-session -d -x "${1%x*}" -y "${1#*x}" "${*:2}" 3>&-
}

keys() {
	tmux -S tmux send-keys "$@"
}

screen() {
	tmux -S tmux capture-pane -p "$@"
}

shows() {
	screen | grep -qE -- "$1"
}

shows_not() {
	! shows "$1"
}

# A driver with so many words that goes on for a minute.
program() {
	spawn it "$DRIVER" "$@" work:60000
}

@test "associations with their rates, sorted, filtered, paused, helped and quit by keys" {
	program show:6 say:third
	terminal 160x20 "sctpeel top -i 100ms; echo status \$?; read -r _"
	wait_until shows '^1 process, 6 associations, 3 peeled, '
	wait_until shows ' 10\.0\.0\.3:9999 +peeled +[1-9][0-9.]*K?/s +[1-9][0-9]* '
	wait_until shows 'sorted by rate'
	keys '>'
	wait_until shows 'sorted by msgrate'
	keys '<' '<'
	wait_until shows 'sorted by state'
	keys '<'
	wait_until shows 'sorted by peer'
	screen | grep -oE '10\.0\.0\.[0-9]' >order
	assert_equal "$(paste -sd' ' order)" '10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5'
	keys r
	wait_until shows 'sorted by peer, reversed'
	screen | grep -oE '10\.0\.0\.[0-9]' | head -n 1 >order
	assert_equal "$(<order)" 10.0.0.5
	keys / t h i r x BSpace
	wait_until shows '^filter: thir$'
	wait_until shows "only 'thir': 1"
	keys Enter
	wait_until shows '^h help '
	wait_until shows_not '10\.0\.0\.2:'
	keys / x Escape
	wait_until shows "only 'thir': 1"
	keys / BSpace BSpace BSpace BSpace Enter
	wait_until shows '10\.0\.0\.2:'
	keys Space
	wait_until shows PAUSED
	screen >before
	pause 0.3
	screen >after
	cmp before after
	keys Space
	wait_until shows_not PAUSED
	keys h
	wait_until shows 'Page Up, Page Down, Home, End'
	keys h
	wait_until shows '10\.0\.0\.2:'
	keys q
	wait_until shows '^status 0$'
}

@test "10,000 associations are scrolled and sorted by keys" {
	program show:10000
	terminal 120x30 "sctpeel top -s peer"
	wait_until shows '^1 process, 10000 associations'
	wait_until shows '10\.0\.0\.0:9999'
	keys End
	wait_until shows '10\.0\.39\.15:9999'
	keys PPage
	wait_until shows_not '10\.0\.39\.15:'
	keys Home Down
	wait_until shows_not '10\.0\.0\.0:'
	wait_until shows '10\.0\.0\.1:9999'
	keys Up NPage
	wait_until shows '10\.0\.0\.26:9999'
	keys r
	wait_until shows '10\.0\.39\.15:9999'
}

@test "the end of the program is shown, and its next process is followed" {
	program show:4
	terminal 140x12 "sctpeel top -i 50ms $(pid_of it); read -r _"
	wait_until shows "live_driver\\[$(pid_of it)\\]"
	stop it KILL
	wait_until shows 'ended, waiting for it to come again'
	wait_until shows ' ended '
	spawn next "$DRIVER" show:7 work:60000
	wait_until shows "^1 process, 7 associations"
	wait_until shows "live_driver\\[$(pid_of next)\\]"
	wait_until shows_not ended
}

@test "a narrow or low terminal, a new size, text that is not ours" {
	program show:3 "say:$(printf 'a\e[7m\n\303\244\342\202\254')"
	terminal 200x9 "sctpeel top -i 50ms; echo status \$?; read -r _"
	wait_until shows 'keep a\\x1b\[7m'
	tmux -S tmux resize-window -x 30 -y 3
	pause 0.2
	tmux -S tmux resize-window -x 70 -y 24
	wait_until shows '10\.0\.0\.2:9999'
	# two lines of status, titles, a line for each association, and the keys
	cut_off() {
		[ "$(screen | grep -c .)" -eq 7 ]
	}
	wait_until cut_off
	keys q
	wait_until shows '^status 0$'
}

@test "colours, unless NO_COLOR says no" {
	program show:2
	TERM=xterm-256color terminal 120x9 "sctpeel top -i 50ms"
	wait_until shows ' peeled '
	screen -e | grep peeled | grep -q $'\e\\[32m'
	tmux -S tmux respawn-pane -k "NO_COLOR=1 sctpeel top -i 50ms -f peeled"
	wait_until shows "only 'peeled': 1"
	run ! grep -q $'\e\\[3[0-7]m' <(screen -e)
}
