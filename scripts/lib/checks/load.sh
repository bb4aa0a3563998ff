# Checks of scripts/interop: `load` against `serve` in another process. To be sourced.

# agrees PASS ARGUMENT...: no error, no connection cut off, and `serve` has counted the same connections.
agrees() {
    local pass=$1
    shift
    scrape before
    load "errors == 0 && cut_off == 0 && closed == completed && $pass" "$@"
    eventually 10 nothing_lives || fail "connections are left at serve: $(worker_counter live)"
    scrape after
    same_count connections established "$(figure established)"
    same_count "their ends" closed "$(figure completed)"
    note "$(figure 'established') connections, $(figure 'responses') answers"
}

# http_agrees PASS ARGUMENT...: and the same answers.
http_agrees() {
    agrees "status_2xx == responses && $1" "http://$server_url/" "${@:2}"
    same_count answers http_responses_2xx "$(figure responses)"
}

test_load_closes_first() {
    http_agrees "completed == 1000 && responses == 1000 && time_wait == 1000" -c 16 -n 1000
    same_count "ends in order" closed_normal 1000
}

test_load_resets() {
    http_agrees "completed == 500 && time_wait == 0" -c 16 -n 500 --close reset
    same_count resets closed_reset 500
}

test_load_closes_half() {
    http_agrees "completed == 500 && time_wait == 500" -c 16 -n 500 --close half
    same_count "ends in order" closed_normal 500
}

test_load_waits_for_the_server_to_close() {
    http_agrees "completed == 500 && time_wait == 0" -c 16 -n 500 --close server
    same_count "entries in TIME-WAIT" time_wait_entered 500
}

test_load_asks_several_times() {
    http_agrees "completed == 100 && responses == 500" -c 16 -n 100 -r 5 --close server
}

test_load_keeps_connections() {
    http_agrees "completed == 16 && responses > 16" -c 16 -d 1s --mode requests
}

# Every event that is due begins, late or not, if there is time for it.
test_load_opens_at_a_rate() {
    http_agrees "completed == 200 && not_begun == 0" -c 1000 -n 200 -R 200
}

test_load_asks_at_a_rate() {
    http_agrees "completed == 16 && responses > 100" -c 16 -d 2s --mode requests -R 200
}

test_load_holds_connections() {
    http_agrees "completed == 300 && responses >= 300" -c 300 -d 2s --mode held --set 'load.every="500ms"'
}

test_load_asks_over_tcp() {
    agrees "completed == 500 && bytes_received == 50000" "tcp://$server_url:7" -c 16 -n 500 \
        --set load.request_bytes=100 --set load.response_bytes=100
    same_count "octets of echo" echo_bytes 50000
}

test_load_sends_in_bulk() {
    agrees "completed == 4 && bytes_sent > 1M" "tcp://$server_url:9" -c 4 -d 1s --mode send
    same_count "octets received" discard_bytes "$(figure bytes_sent)"
    note "$(megabytes_per_second "$(figure bytes_sent)")"
}

test_load_receives_in_bulk() {
    agrees "completed == 1 && responses > 0 && status_2xx == responses" \
        "http://$server_url:8081/" -c 1 -d 2s --mode receive --set "load.http.expect_body=\"$work/less\""
}

test_load_sends_and_receives_in_bulk() {
    agrees "completed == 4 && bytes_received > 1M" "tcp://$server_url:7" -c 4 -d 1s --mode both
    same_count "octets of echo" echo_bytes "$(figure bytes_received)"
    note "$(megabytes_per_second "$(figure bytes_received)")"
}

# What an earlier start has left in TIME-WAIT at the server is opened anew, if the key is kept.
test_load_comes_back() {
    local i
    for i in 1 2; do
        agrees "completed == 300 && retransmitted == 0" "http://$server_url/" -c 16 -n 300 --close server \
            --ports 40000-40099
    done
    (($(grown tw_recycled_newer_timestamp) == 300)) ||
        fail "$(grown tw_recycled_newer_timestamp) connections opened anew, expected 300"
}

# Its own counters, beside those of its host.
four_are_told() {
    inside curl -sS --fail --max-time 5 http://127.0.0.1:9465/metrics >"$work/told"
    grep -q '^tidewheel_load_established_total{worker="worker0"} 4$' "$work/told" &&
        grep -q '^tidewheel_established_active_total{worker="worker0"} 4$' "$work/told"
}

test_load_answers_prometheus() {
    load "errors == 0 && established == 4" "http://$server_url/" -c 4 -d 3s --mode held \
        --set metrics.listen=127.0.0.1:9465 &
    local pid=$!
    eventually 10 four_are_told || fail "four connections are not told: $(grep established "$work/told")"
    wait "$pid"
}

test_load_holds_ten_thousand() {
    http_agrees "completed == 10000 && responses == requests && responses > 0" \
        -c 10000 -d 8s --timeout 60s --mode held --set 'load.every="4s"'
}

# After that each worker of `serve` has had its share, and every frame came to whom it belonged.
test_load_workers_share() {
    http_agrees "completed == 2000 && responses == 2000" -c 64 -n 2000 --cpus 0,1
    each_above established 100
    each_above handed_over 100
    each_above taken_over 100
    eventually 5 all_taken_over ||
        fail "handed over $(sum handed_over), taken over $(sum taken_over)"
    (($(sum drop_handover_full) == 0)) || fail "$(sum drop_handover_full) frames found a ring full"
}

# Half of the connections are each worker's of `load`, and so are the answers, whoever of them receives those. A TAP learns
# which queue a flow was last sent to.
both_are_answered() {
    inside curl -sS --fail --max-time 5 http://127.0.0.1:9465/metrics >"$work/told.new" || return 1
    mv "$work/told.new" "$work/told"
    awk -v handed="$([[ $link == tap ]] && echo 0 || echo 1)" '
        function count(name, least, most) {
            if (index($1, "tidewheel_" name "_total{worker=") == 1 && $2 >= least && $2 <= most) n++
        }
        { count("load_established", 32, 32); count("load_responses", 1000, 1e18) }
        { count("handed_over", handed, 1e18); count("taken_over", handed, 1e18) }
        END { exit n != 8 }' "$work/told"
}

test_load_workers_get_their_answers() {
    scrape before
    load "errors == 0 && completed == 64 && cut_off == 0" "http://$server_url/" -c 64 -d 4s --mode requests --cpus 0,1 \
        --set metrics.listen=127.0.0.1:9465 &
    local pid=$!
    eventually 20 both_are_answered || fail "not both workers: $(grep -E 'load_(est|resp)|handed_|taken_' "$work/told")"
    wait "$pid"
    scrape after
    same_count connections established 64
    same_count answers http_responses_2xx "$(figure responses)"
}
