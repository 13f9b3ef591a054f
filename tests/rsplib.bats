# rsplib: a registrar, pool elements and pool users, all of them unmodified and under the
# shim. They all talk to the registrar on its one-to-many socket; one element registers all the time.
# seconds a test: 120
load oracle

asap=10.9.8.1:3863

setup() {
	requires netns rspregistrar rspserver pingpongclient
	# it takes no loopback address, and a default route that can carry its announcements
	ip -batch - <<'EOF'
link add pool0 type veth peer name pool1
link set pool0 up
link set pool1 up
addr add 10.9.8.1/24 dev pool0
route add default dev pool0
EOF
}

teardown() {
	clean_up
	ip link del pool0 2>/dev/null || true
}

quiet=(-loglevel=2 -logcolor=off)

# The association of each with the registrar.
registered() {
	local shared peeled
	read -r shared peeled < <(styles 3863 /proc/net/sctp/assocs)
	[ "$((shared + peeled))" -eq "$1" ]
}

# Registrations so far, by the statistics that the registrar writes four times a second; each is a
# request and a response. An element that is to repeat its own at once sometimes waits five seconds.
registrations() {
	[ "$(awk 'END { print $11 + 0 }' "$BATS_TEST_TMPDIR/statistics-$1")" -ge "$2" ]
}

answers() {
	[ "$(cat "$BATS_TEST_TMPDIR"/user*-"$1".out | grep -c ' Ack #')" -ge "$2" ]
}

# Each message is answered once and in order; the number of the reply is that of the session.
answered_in_order() {
	sed -n 's/.*Ack #\([0-9]*\).*(reply #\([0-9]*\)).*/\1 \2/p' "$(out_of "$1")" | awk '{
		n = $1
		if (n != last + 1 || n != $2) {
			print "after " last ": " $0
			exit 1
		}
		last = n
	}
	END { exit NR == 0 }'
}

complaints() {
	grep -iE 'error|unable|timed out|timeout!|failed' "$(out_of "$1")" "$(err_of "$1")"
}

# end NAME...: as by Control-C.
end() {
	local name
	for name; do
		kill -INT "$(pid_of "$name")"
	done
	for name; do
		finish "$name" || {
			echo "$name ended with $?"
			return 1
		}
		run complaints "$name"
		assert_equal "$name: $output" "$name: " || return
	done
}

pool_serves() {
	local way=$1 name elements=() users=() i port before during=$BATS_TEST_TMPDIR/assocs shared peeled
	local count=8 repeated=50 # each of the eight is a process
	((MESSAGES < 10000)) || count=20 repeated=$(($(messages "$way") / 2))
	under "$way" "registrar-$way" rspregistrar -asap="$asap" -asapannounce=239.0.0.1:3863 \
		-enrp=10.9.8.1:9901 -enrpannounce=239.0.0.1:9901 \
		-statsfile="$BATS_TEST_TMPDIR/statistics-$way" -statsinterval=250 "${quiet[@]}" &&
		wait_for_listen 3863 && wait_for_listen 9901 || return
	before=$(descriptors "$(pid_of "registrar-$way")")
	for i in 1 2 3 4; do
		under "$way" "element$i-$way" rspserver -pingpong -registrar="$asap" -asapannounce=off \
			-local="10.9.8.1:$((7000 + i))" -rereginterval="$((i == 1 ? 1 : 30000))" \
			-pppmaxthreads=100 "${quiet[@]}" || return
		elements+=("element$i-$way")
	done
	wait_until -t 30 registered 4 || return
	for ((i = 5; i <= count; i++)); do
		under "$way" "user$i-$way" pingpongclient -registrar="$asap" -asapannounce=off \
			-interval=20 "${quiet[@]}" || return
		users+=("user$i-$way")
	done
	# Idle users leave the registrar after half a minute.
	wait_until -t 60 registered "$count" && wait_until -t 60 registrations "$way" 10 || return
	cat /proc/net/sctp/assocs >"$during"
	read -r shared peeled < <(styles 3863 "$during")
	case $way in
	native) assert_equal "$shared $peeled" "$count 0" ;;
	all) assert_equal "$shared $peeled" "0 $count" ;;
	volume) assert [ "$peeled" -ge 1 ] && assert_equal "$((shared + peeled))" "$count" ;;
	esac || return
	wait_until -t 600 answers "$way" "$(messages "$way")" &&
		wait_until -t 600 registrations "$way" "$repeated" &&
		end "${users[@]}" || return
	for port in 7001 7002 7003 7004; do
		wait_until no_association "$port" || return
	done
	# Natively too, an element that repeats its registration all the time sometimes aborts when it is
	# to end, and the registrar complains of requests from one that has died. So it falls silent first.
	kill -STOP "$(pid_of "element1-$way")" && end "${elements[@]:1}" && stop "element1-$way" KILL && wait_until no_association 3863 &&
		wait_until descriptors_are "$(pid_of "registrar-$way")" "$before" &&
		end "registrar-$way" || return
	for name in "${users[@]}"; do
		answered_in_order "$name" || return
	done
}

@test "rsplib's registrar serves elements, one heavy, and users" {
	in_the_field pool_serves
}
