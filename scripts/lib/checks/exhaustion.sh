# Checks of scripts/interop: what is full, and readers that do not read. Each is counted, shed where it is
# new, and over by itself. To be sourced. The server has $places connections and a backlog of $backlog.

readonly places=64 backlog=16

test_full_table_takes_more_later() {
    # More than there is room for: those that were first are served, and the others wait in vain.
    inside wrk -t 1 -c $((places + 40)) -d 2s "http://$server_url:80/" | tee "$work/wrk"
    (($(awk '/requests in/ { print $1 }' "$work/wrk") > places)) || fail "hardly any request was answered"
    ! grep -E 'Non-2xx|connect [1-9]|read [1-9]|write [1-9]' "$work/wrk" || fail "those inside were hurt"
    (($(sum live) <= places)) || fail "$(sum live) connections, of $places"
    local refused
    refused=$(sum drop_table_full)
    ((refused > 0)) || fail "the table was never full"
    eventually 10 nothing_lives || fail "$(sum live) connections are left"
    wrk_without_errors -c $((places / 2)) -d 1s
    note "SYNs refused $refused"
}

# says CONNECTION TEXT: an echo on a connection of bash.
says() {
    local answer
    echo "$2" >&"$1"
    read -r -t 5 answer <&"$1"
    [[ $answer == "$2" ]] || fail "an echo of '$2' is '$answer'"
}

test_flood_of_syns_spares_connections() {
    inside bash -c "
        $(declare -f says fail)
        exec {there}<>/dev/tcp/$server/7
        says \$there before
        '$injector' flood --interface tw0 --server '$server_url:7' --address '$stranger' --for-ms 2000 >'$work/flood' &
        sleep 0.7
        says \$there meanwhile
        sleep 0.7
        says \$there still
        ! timeout 0.4 bash -c 'exec 3<>/dev/tcp/$server/7' || fail 'a full backlog takes one more'
        wait \$!
        says \$there after
    "
    local refused
    refused=$(sum drop_backlog_full)
    ((refused > 1000)) || fail "$refused SYNs were refused: $(<"$work/flood")"
    # Half-open connections are given up, one second, two and four after their SYN-ACK.
    eventually 15 echoes || fail "nothing is accepted after the flood"
    eventually 5 above embryo_failures $((backlog - 1)) || fail "$(sum embryo_failures) were given up"
    note "$(<"$work/flood") refused $refused"
}

echoes() {
    [[ $(printf 'hello' | inside nc -N -w 1 "$server" 7) == hello ]]
}

test_readers_that_never_read_hurt_nobody() {
    local pids=() pid reader got probes=$(($(sum window_probes_sent)))
    for _ in {1..20}; do
        in_background curl -sS --limit-rate 1k -o /dev/null "http://$server_url:8080/" &
        pids+=($!)
    done
    # And one that will read on: until somebody takes what it has read, it stands at a full pipe.
    got="$work/stopped"
    rm -f "$got.pipe"
    mkfifo "$got.pipe"
    exec 9<>"$got.pipe"
    in_background nc "$server" 8080 <<<$'GET / HTTP/1.0\r\n\r\n' >"$got.pipe" 9>&- &
    pid=$!
    eventually 15 lives 21 || fail "$(sum live) connections, expected 21"
    kill -STOP "${pids[@]}"
    inside curl -sS --fail --max-time 20 -o "$work/got" "http://$server_url:8081/"
    same "$work/got" "$work/less"
    eventually 10 probed "$probes" || fail "no closed window was probed"
    cat <"$got.pipe" >"$got" 9>&- &
    reader=$!
    exec 9>&-
    wait "$pid" || fail "the reader that read on ended with $?"
    wait "$reader"
    tail -c "$bytes" "$got" >"$work/got"
    same "$work/got"
    rm "$got" "$got.pipe"
    # The kernel resets for those that are killed with unread data.
    kill -KILL "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null || true
    eventually 10 nothing_lives || fail "$(sum live) connections are left"
    note "window probes $(($(sum window_probes_sent) - probes))"
}

# Twelve that send and do not read until none of them can go on: all of that memory is half of the buffer of one, and each has some.
# Their windows close in time (how much is left then depends on who came first), and when they read, those who wait go on at once.
test_echoes_share_little_receive_memory() {
    local i pid pids=() dropped
    dropped=$(sum text_dropped_memory)
    rm -f "$work/read"
    for i in {1..12}; do
        (inside timeout 60 nc -N "$server" 7 <"$work/less" | {
            eventually 30 test -e "$work/read"
            cat
        } >"$work/got$i") &
        pids+=($!)
    done
    eventually 20 stand_still 12 || fail "$(sum receive_chunks) chunks of receive memory are needed, and it goes on"
    touch "$work/read"
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "an echo ended with $?"
    done
    for i in {1..12}; do
        same "$work/got$i" "$work/less"
        rm "$work/got$i"
    done
    eventually 10 nothing_lives || fail "$(sum live) connections are left"
    note "segments dropped for want of memory $(($(sum text_dropped_memory) - dropped))"
}

# stand_still N: N chunks or more, and as many a second later.
stand_still() {
    local chunks
    chunks=$(sum receive_chunks)
    sleep 1
    ((chunks >= $1 && $(sum receive_chunks) == chunks))
}

# As `inside`, for a background process: its process is the program's own, to be stopped and killed.
in_background() {
    exec ip netns exec "$ns" "$@"
}

lives() {
    (($(sum live) == $1))
}

probed() {
    (($(sum window_probes_sent) > $1))
}
