# Checks of scripts/interop: many connections after each other, and the same one again. To be sourced.

# wrk_without_errors ARGUMENT...
wrk_without_errors() {
    inside wrk -t 1 -c 16 -d 5s "$@" "http://$server_url:80/" | tee "$work/wrk"
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk" || fail "$(grep -E 'Socket errors|Non-2xx' "$work/wrk")"
    local requests
    requests=$(awk '/requests in/ { print $1 }' "$work/wrk")
    ((requests > 0)) || fail "no request was answered"
    note "$(grep 'Requests/sec' "$work/wrk" | tr -s ' ')"
}

# All at a time, from the kernel: each is served, none is lost, and none is left.
test_ten_thousand_clients() {
    ulimit -n 11000
    # In the queue of the interface there is room for a frame of each: wrk ends with answers unread, so the kernel sends
    # RSTs, all at once, and a RST that is lost is not repeated.
    ip -n "$ns" link set tw0 txqueuelen 20000
    scrape before
    inside wrk -t 1 -c 10000 -d 8s --timeout 30s "http://$server_url:80/" | tee "$work/wrk"
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk" || fail "$(grep -E 'Socket errors|Non-2xx' "$work/wrk")"
    eventually 30 nothing_lives || fail "connections are left: $(worker_counter live)"
    scrape after
    local opened closed answered
    opened=$(grown established) closed=$(grown closed) answered=$(grown http_responses_2xx)
    ((opened >= 10000 && closed == opened)) || fail "established $opened, closed $closed"
    ((answered >= $(awk '/requests in/ { print $1 }' "$work/wrk"))) || fail "answers: $answered, more at wrk"
    (($(grown drop_backlog_full) + $(grown drop_table_full) == 0)) || fail "SYNs were dropped"
    note "$opened connections, $answered answers"
}

test_wrk_keep_alive() {
    wrk_without_errors
}

test_wrk_connection_close() {
    wrk_without_errors -H 'Connection: close'
}

# fetch_from PORT: the server closes first, and curl sees to it that the tuple is the same again.
fetch_from() {
    rm -f "$work/got"
    inside curl -sS --fail --max-time 5 --http1.0 --local-port "$1" -o "$work/got" "http://$server_url/" ||
        fail "curl's exit status is $?"
    [[ $(wc -c <"$work/got") == 1024 ]] || fail "the body is not 1024 bytes"
}

# returns_in_time PORT: twice from the same port within 664 ms, the interval of the experiment with a
# Windows server that made reuse from TIME-WAIT known.
returns_in_time() {
    local first second
    for _ in {1..10}; do
        first=${EPOCHREALTIME/./}
        fetch_from "$1"
        second=${EPOCHREALTIME/./}
        fetch_from "$1"
        if ((second - first < 664000)); then
            note "after $(((second - first) / 1000)) ms"
            return
        fi
    done
    fail "too slow to tell, ten times"
}

test_same_port_returns_with_timestamps() {
    returns_in_time 55000
}

test_same_port_returns_without_timestamps() {
    inside sysctl -q -w net.ipv4.tcp_timestamps=0
    local status=0
    (returns_in_time 55001) || status=$?
    inside sysctl -q -w net.ipv4.tcp_timestamps=1
    return "$status"
}
