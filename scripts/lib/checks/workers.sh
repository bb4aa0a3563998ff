# Checks of scripts/interop: several workers on a device that does not steer. To be sourced.

# worker_counter NAME: its value for each worker, in one line.
worker_counter() {
    at_server curl -sS --fail --max-time 5 "http://$metrics/metrics" |
        sed -n "s/^tidewheel_$1\(_total\)\?{worker=.*} //p" | tr '\n' ' '
}

# each_above NAME LEAST: for each of two workers.
each_above() {
    local values value n=0
    values=$(worker_counter "$1")
    for value in $values; do
        ((value > $2)) || fail "$1 of each worker: $values"
        n=$((n + 1))
    done
    ((n == 2)) || fail "$1 of each worker: '$values', expected two"
}

# sum NAME: over all workers.
sum() {
    local value sum=0
    for value in $(worker_counter "$1"); do
        sum=$((sum + value))
    done
    echo "$sum"
}

# above NAME NUMBER: over all workers.
above() {
    (($(sum "$1") > $2))
}

# Workers publish each for itself.
all_taken_over() {
    (($(sum handed_over) == $(sum taken_over)))
}

# After everything else that this server was asked.
test_workers_share_and_hand_over() {
    local full
    full=$(sum drop_handover_full)
    inside wrk -t 1 -c 64 -d 2s -H 'Connection: close' "http://$server_url:80/" | tee "$work/wrk"
    ! grep -E 'Socket errors|Non-2xx' "$work/wrk" || fail "$(grep -E 'Socket errors|Non-2xx' "$work/wrk")"
    each_above established 100
    each_above handed_over 100
    each_above taken_over 100
    eventually 5 nothing_lives || fail "live connections of each worker: $(worker_counter live)"
    eventually 5 all_taken_over ||
        fail "handed over $(sum handed_over), taken over $(sum taken_over)"
    (($(sum drop_handover_full) == full)) || fail "$(($(sum drop_handover_full) - full)) frames found a ring full"
    (($(sum established) == $(sum closed))) || fail "established $(sum established), closed $(sum closed)"
    note "established $(worker_counter established)handed over $(worker_counter handed_over)"
}

nothing_lives() {
    (($(sum live) == 0))
}
