# Checks of scripts/interop: how `serve` ends. To be sourced.

# Of a server that has ended: no device, no runtime folder, no process.
nothing_is_left() {
    local pid folder
    pid=$(server_pid)
    ! kill -0 "$pid" 2>/dev/null || fail "process $pid is still there"
    ! ip -n "$ns" link show tw0 2>/dev/null || fail "tw0 is still there"
    for folder in "${RUNTIME_DIRECTORY:-/var/run}/dpdk" "${XDG_RUNTIME_DIR:-/tmp}/dpdk"; do
        [[ ! -d $folder ]] || ! find "$folder" \( -name "*-$pid" -o -name "*-$pid[!0-9]*" \) | grep . || fail "left in $folder"
    done
}

test_sigterm_drains() {
    # Slow enough that most of it is still to come.
    rm -f "$work/got"
    inside curl -sS --fail --max-time 30 --limit-rate 40M -o "$work/got" "http://$server_url:8080/" &
    local pid=$! status
    eventually 10 test -s "$work/got" || fail "the transfer does not begin"
    signal_server TERM
    sleep 0.3
    ! server_ended || fail "it ended in the middle of a transfer"
    ! inside curl -s --max-time 1 -o /dev/null "http://$server_url/" || fail "it still accepts connections"
    wait "$pid" || fail "the transfer did not survive SIGTERM: curl's exit status is $?"
    same "$work/got"
    eventually 10 server_ended || fail "it did not end after the last connection had"
    status=$(cat "$work/$server_name.status")
    ((status == 0)) || fail "exit status $status"
    nothing_is_left
}

test_second_sigint_stops_at_once() {
    # It stays open as long as nc's input does.
    mkfifo "$work/open"
    inside nc "$server" 7 <>"$work/open" >/dev/null &
    eventually 10 lives 1 || fail "nc is not connected"
    signal_server INT
    sleep 0.5
    ! server_ended || fail "it ended in spite of a live connection"
    signal_server INT
    eventually 8 server_ended || fail "it goes on after the second SIGINT"
    nothing_is_left
}
