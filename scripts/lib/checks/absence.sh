# Checks of scripts/interop: links that go, peers that vanish or forget, and a window of one octet. To be
# sourced.

# take_link_away DEVICE SECONDS: and give it back.
take_link_away() {
    ip -n "$1" link set "$2" down
    sleep "$3"
    ip -n "$1" link set "$2" up
}

# Either end of the link goes and comes in the middle of a transfer.
test_link_flaps_and_nothing_is_lost() {
    local pid before changes
    before=$(sum closed_timeout)
    changes=$(port_counter link_changes)
    rm -f "$work/got"
    inside curl -sS --fail --max-time 60 --limit-rate 25M -o "$work/got" "http://$server_url:8080/" &
    pid=$!
    eventually 10 test -s "$work/got" || fail "the transfer does not begin"
    ip -n "$ns" link set tw0 down
    sleep 1.2
    # Not every driver tells; one that does is asked now and then, and whenever the counter is.
    [[ $link != tap ]] || eventually 20 link_changed $((changes + 1)) || fail "that the link went was not counted"
    ip -n "$ns" link set tw0 up
    [[ $link != tap ]] || eventually 20 link_changed $((changes + 2)) || fail "that it came back was not counted"
    sleep 0.3
    take_link_away "$ns" tw0 0.1
    if [[ $server_ns != "$ns" ]]; then
        sleep 0.3
        take_link_away "$server_ns" tws 0.5
    fi
    wait "$pid" || fail "the transfer ended with $?"
    same "$work/got"
    (($(sum closed_timeout) == before)) || fail "connections were given up"
    if [[ $link == tap ]]; then
        grep -q 'net_tap0: the link is down' "$work/$server_name.log" || fail "nobody said that the link was down"
        grep -q 'net_tap0: the link is up again' "$work/$server_name.log" || fail "nor that it is up again"
    fi
}

# port_counter NAME: of the server's only port.
port_counter() {
    at_server curl -sS --fail --max-time 5 "http://$metrics/metrics" |
        sed -n "s/^tidewheel_port_$1\(_total\)\?{port=.*} //p"
}

link_changed() {
    (($(port_counter link_changes) >= $1))
}

# The process at the other end of the link is killed in the middle of a transfer, and another comes.
test_link_is_made_anew_and_nothing_is_lost() {
    local pid relay changes
    changes=$(port_counter link_changes)
    rm -f "$work/got"
    inside curl -sS --fail --max-time 60 --limit-rate 25M -o "$work/got" "http://$server_url:8080/" &
    pid=$!
    eventually 10 test -s "$work/got" || fail "the transfer does not begin"
    relay=$(<"$work/relay.pid")
    kill -KILL "$relay"
    wait "$relay" 2>/dev/null || true
    rm -rf "${RUNTIME_DIRECTORY:-/var/run}/dpdk/tidewheel-$relay"
    eventually 5 no_veth || fail "tw0 is still there"
    # The device is asked for its link now and then, and whenever the counter is.
    eventually 20 link_changed $((changes + 1)) || fail "that the link went was not counted"
    start_relay
    eventually 20 ip -n "$ns" link show tw0 || fail "$(<"$work/relay.log")"
    give_addresses
    # It has another Ethernet address: what the kernel asks tells the server.
    eventually 10 inside ping -c 1 -W 1 "$server" || fail "the link is not back"
    eventually 20 link_changed $((changes + 2)) || fail "that it came back was not counted"
    wait "$pid" || fail "the transfer ended with $?"
    same "$work/got"
}

# The link is cut for good as far as the server can tell: it gives up by its timers.
test_peer_vanishes_and_is_given_up() {
    local pid before
    before=$(sum closed_timeout)
    in_background curl -sS --max-time 60 --limit-rate 25M -o /dev/null "http://$server_url:8080/" &
    pid=$!
    eventually 10 lives 1 || fail "the transfer does not begin"
    ip -n "$ns" link set tw0 down
    eventually 20 nothing_lives || fail "it was not given up"
    (($(sum closed_timeout) == before + 1)) || fail "that was not counted"
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    ip -n "$ns" link set tw0 up
    eventually 10 inside curl -sS --fail --max-time 1 -o /dev/null "http://$server_url/" ||
        fail "no connection once it is back"
}

# Another kernel has the address, as after a crash of the machine: it knows nothing of the connections.
test_peer_forgets() {
    local other=$ns-other pid answer resets refused
    resets=$(sum closed_reset) refused=$(refused_syns)
    # They are open as long as nc's input is.
    rm -f "$work"/idle[12]
    mkfifo "$work/idle1" "$work/idle2"
    in_background nc -p 55004 "$server" 7 <>"$work/idle1" >/dev/null 2>"$work/nc1" &
    in_background nc -p 55005 "$server" 7 <>"$work/idle2" >/dev/null 2>"$work/nc2" &
    pid=$!
    eventually 5 lives 2 || fail "$(sum live) connections, expected two: $(cat "$work"/nc[12])"
    ip netns add "$other"
    # Whatever happens, the checks after this one find the link where it was.
    trap "give_link_back '$other'" EXIT
    ip -n "$ns" link set tw0 netns "$other"
    give_addresses "$other"
    # It opens the same four-tuple. The server acknowledges what it has (RFC 9293 3.5.1, figure 8), is reset,
    # and takes the next SYN.
    answer=$(printf 'hello' | ip netns exec "$other" nc -N -w 8 -p 55004 "$server" 7)
    [[ $answer == hello ]] || fail "the same four-tuple is not to be had again"
    (($(refused_syns) > refused)) || fail "the first SYN was not refused"
    # The other connection is found out by keep-alive.
    eventually 10 nothing_lives || fail "$(sum live) half-open connections are left"
    (($(sum closed_reset) == resets + 2)) || fail "$(($(sum closed_reset) - resets)) were reset, expected two"
    # And the first kernel, which still believes in it, is told so when it speaks.
    give_link_back "$other"
    eventually 10 inside ping -c 1 -W 1 "$server" || fail "the link is not back"
    echo "anybody there?" >"$work/idle1"
    echo "anybody there?" >"$work/idle2"
    eventually 10 ended "$pid" || fail "the kernel was not told that its connection is gone"
}

# SYNs to connections that were open, whichever of the rules they met first.
refused_syns() {
    echo $(($(sum syns_challenged) + $(sum unacceptable_segments) + $(sum paws_rejected)))
}

# give_link_back NAMESPACE: from there, if it still has it.
give_link_back() {
    ip -n "$1" link show tw0 >/dev/null 2>&1 || return 0
    ip -n "$1" link set tw0 netns "$ns"
    ip netns delete "$1"
    give_addresses
}

ended() {
    ! kill -0 "$1"
}

# The kernel announces one octet at a time.
test_window_of_one_octet() {
    local segments text=one_by_one.
    segments=$(sum tx_segments)
    ip -n "$ns" route replace "$server" dev tw0 window 1
    [[ $(printf %s "$text" | inside nc -N -w 20 "$server" 7) == "$text" ]] || fail "the echo is another"
    ip -n "$ns" route delete "$server" dev tw0
    segments=$(($(sum tx_segments) - segments))
    ((segments > ${#text})) || fail "$segments segments for ${#text} octets"
    note "$segments segments for ${#text} octets"
}
