# Checks of scripts/interop: ping, neighbours, addresses and closed ports. To be sourced.

test_ping() {
    local size
    for size in 56 1400 "$largest_echo"; do
        # With -w it waits for five answers, not for two round trips; the first five must be among them, and once.
        inside ping -c 5 -i 0.2 -w 10 -s "$size" "$server" | tee "$work/ping"
        (($(grep -o 'icmp_seq=[1-5] ' "$work/ping" | sort -u | wc -l) == 5)) || fail "lost an echo of $size bytes"
        ! grep 'DUP!' "$work/ping" || fail "an echo of $size bytes came twice"
    done
}

test_neighbor_answers() {
    inside ip neigh flush dev tw0
    inside ping -c 1 -W 5 "$server"
    inside ip neigh show "$server" | tee "$work/neighbor"
    grep -q 'lladdr' "$work/neighbor" || fail "the kernel has no link address for $server"
}

# Those of all nodes on the link that answer, at their link-local addresses: the server, and the kernel
# itself.
test_link_local_answers() {
    eventually 15 two_link_locals_answer || fail "$(<"$work/ping")"
}

# Until the kernel has verified its own, it asks from a global address and is answered from one.
two_link_locals_answer() {
    inside ping -c 3 -i 0.2 -W 1 ff02::1%tw0 >"$work/ping"
    local answers
    answers=$(grep -o 'from fe80::[0-9a-f:]*' "$work/ping" | sort -u | wc -l)
    ((answers >= 2))
}

test_duplicate_is_not_used() {
    eventually 15 grep -q 'another host on the link has 2001:db8::2' "$work/$server_name.log" ||
        fail "the duplicate was not told"
    # The kernel has it.
    inside ping -c 1 -W 5 2001:db8::2
    inside curl -sS --fail --max-time 5 -o /dev/null http://192.0.2.1/
    ! inside curl -s --max-time 2 -o /dev/null 'http://[2001:db8::1]/' || fail "an address of nobody answers"
}

# The relay at the other end takes the tag off itself, and lets nothing pass without one.
test_device_does_the_tags() {
    grep -q '^device .*; VLAN tags by the device: taken off, put on$' "$work/$server_name.log" ||
        fail "$(grep '^device' "$work/$server_name.log")"
    (($(sum drop_tx_refused) == 0)) || fail "the driver refused $(sum drop_tx_refused) frames"
}

test_damaged_segments_are_dropped() {
    local flood before=$(($(sum drop_tcp_checksum)))
    flood=$(inside "$injector" flood --interface tw0 --server "$server_url:80" --address "$stranger" --for-ms 100 --damaged)
    [[ $flood == *'answered 0' ]] || fail "damaged segments were answered: $flood"
    eventually 5 above drop_tcp_checksum "$before" || fail "no wrong checksum was found: $flood"
}

test_closed_port_refuses_at_once() {
    local start took
    # A busy machine may take as long to start nc.
    for _ in {1..3}; do
        start=${EPOCHREALTIME/./}
        if inside nc -v -z -w 3 "$server" 81 2>"$work/refused"; then
            fail "something listens on port 81"
        fi
        took=$((${EPOCHREALTIME/./} - start))
        grep -q 'Connection refused' "$work/refused" || fail "$(cat "$work/refused")"
        ((took >= 500000)) || return 0
    done
    fail "refused only after $took us, the last of three times"
}
