# rsplib: a registrar, pool elements and pool users, all of them unmodified and under the
# shim. They all talk to the registrar on its one-to-many socket; one element registers all the time.
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
	local count=$((MESSAGES < 10000 ? 8 : 20)) # each one is a process
	under "$way" "registrar-$way" rspregistrar -asap="$asap" -asapannounce=239.0.0.1:3863 \
		-enrp=10.9.8.1:9901 -enrpannounce=239.0.0.1:9901 "${quiet[@]}" &&
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
	wait_until -t 60 registered "$count" && wait_until -t 600 answers "$way" "$(messages "$way")" || return
	cat /proc/net/sctp/assocs >"$during"
	read -r shared peeled < <(styles 3863 "$during")
	case $way in
	native) assert_equal "$shared $peeled" "$count 0" ;;
	all) assert_equal "$shared $peeled" "0 $count" ;;
	volume) [ "$peeled" -ge 1 ] && [ "$((shared + peeled))" -eq "$count" ] ;;
	esac || return
	end "${users[@]}" || return
	for port in 7001 7002 7003 7004; do
		wait_until no_association "$port" || return
	done
	end "${elements[@]}" && wait_until no_association 3863 &&
		wait_until descriptors_are "$(pid_of "registrar-$way")" "$before" &&
		end "registrar-$way" || return
	for name in "${users[@]}"; do
		answered_in_order "$name" || return
	done
}

@test "rsplib's registrar serves elements, one heavy, and users" {
	in_the_field pool_serves
}
