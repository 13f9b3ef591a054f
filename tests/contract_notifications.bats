# Rows N01 to N04 of the transparency contract: what a program is told, and how associations end.
load contract

# contract: N01
@test "each subscription alone, made before there is anybody" {
	contract 20 notify n01-early
}

# contract: N01
@test "each subscription alone, made when associations are peeled" {
	contract 20 notify n01-later
}

# contract: N01
@test "subscriptions of every length that programs were built with" {
	contract 20 notify n01-lengths
}

# contract: N01
@test "SCTP_EVENT for one association, for all, for those to come" {
	contract 50 notify n01-one-association
}

# contract: N01
@test "subscriptions on and off while associations end" {
	contract 6 notify n01-changes
}

# contract: N01
@test "what was told before the program changed its mind is still there" {
	contract 3 notify n01-queued
}

# contract: N01
@test "a program that wants data only sees nothing else" {
	contract 60 notify n01-nothing
}

# contract: N01
@test "read sees no notification that was not asked for" {
	contract 3 notify n01-plain-reads
}

# contract: N02
@test "the peer closes: the same in the same order, whatever is subscribed and unread" {
	contract 40 notify n02-peer-closes
}

# contract: N02
@test "the peer aborts: no ECONNRESET, no POLLERR" {
	contract 40 notify n02-peer-aborts
}

# contract: N02
@test "the program ends it with SCTP_EOF" {
	contract 40 notify n02-eof
}

# contract: N02
@test "the program ends it with SCTP_ABORT: no ECONNABORTED" {
	contract 40 notify n02-abort
}

# contract: N02
@test "the peer is silent: no ETIMEDOUT" {
	contract 15 notify n02-silence
}

# contract: N02
@test "SCTP_AUTOCLOSE ends it" {
	contract 2 notify n02-autoclose
}

# contract: N02
@test "it ends while the program sleeps" {
	contract 20 notify n02-asleep
}

# contract: N02
@test "it is ended twice" {
	contract 10 notify n02-twice
}

# contract: N04
@test "the same peer again: the old life's last words come before the new one's first" {
	contract 60 notify n04-reconnect
}

# contract: N04
@test "a peer that restarts keeps its id, and tells so" {
	contract 8 notify n04-restart
}

# contract: N03
@test "quiet ends leave no descriptor behind" {
	contract 20 notify n03-closed-at-once
}

# contract: N03
@test "an association that ends while its restart is looked at leaves none either" {
	requires plain
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/slow_peel.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/slow_peel.so" "$TESTS/preloads/slow_peel.c"
	contract 1 notify n03-ends-amid SLOW=answer
}

# contract: R01 N03
@test "what came while a restart is looked at, the end behind it, is not lost" {
	requires plain
	# shellcheck disable=SC2034  # for helper.bash
	local PRELOAD=$SHIM:$BATS_TEST_TMPDIR/slow_peel.so
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_TEST_TMPDIR/slow_peel.so" "$TESTS/preloads/slow_peel.c"
	contract 1 notify n03-all-amid SLOW=question
}

# contract: N03
@test "2,400 associations come and go: no descriptor, no memory stays" {
	contract 1000 notify n03-loop
}

# contract: N03
@test "sockets that come and go leave nothing" {
	contract 100 notify n03-sockets
}

# contract: N05
@test "SCTP_SENDER_DRY_EVENT" {
	contract 2 notify n05-dry
}

# contract: N05
@test "SCTP_SEND_FAILED of what a peer did not take" {
	contract 1 notify n05-send-failed
}
