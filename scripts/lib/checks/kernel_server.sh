# Checks of scripts/interop: `load` against the kernel's TCP, with nginx behind it. To be sourced.

# asks PASS ARGUMENT...: no error, no connection cut off, and nginx has accepted as many.
asks() {
    local pass=$1 before after
    shift
    before=$(nginx_counts)
    load "errors == 0 && cut_off == 0 && closed == completed && $pass" "$@"
    after=$(nginx_counts)
    # The look itself is one more connection and request. In bulk the end of the run finds answers under way.
    awk -v before="$before" -v after="$after" -v connections="$(figure established)" \
        -v asked="$(figure requests)" -v answered="$(figure responses)" '
        BEGIN {
            split(before, b, " "); split(after, a, " ")
            accepted = a[1] - b[1] - 1; handled = a[2] - b[2] - 1; requests = a[3] - b[3] - 1
            if (accepted != connections || handled != connections || requests < answered || requests > asked) {
                print "nginx: " accepted " accepted, " handled " handled, " requests " requests; load: " \
                    connections " connections, " asked " requests, " answered " answers"
                exit 1
            }
        }' || fail "nginx has not counted the same"
    note "$(figure established) connections, $(figure responses) answers"
}

test_nginx_a_connection_for_each_request() {
    asks "completed == 1000 && status_2xx == 1000" "http://$kernel_url/" -c 16 -n 1000
}

test_nginx_closes() {
    asks "completed == 500 && time_wait == 0" "http://$kernel_url/" -c 16 -n 500 --close server
}

test_nginx_is_reset() {
    asks "completed == 500" "http://$kernel_url/" -c 16 -n 500 --close reset
}

test_nginx_half_closed() {
    asks "completed == 500" "http://$kernel_url/" -c 16 -n 500 --close half
}

test_nginx_keeps_connections() {
    asks "completed == 16 && responses > 16" "http://$kernel_url/" -c 16 -d 1s --mode requests
}

test_nginx_statuses_are_counted() {
    asks "responses == 400 && status_2xx == 100 && status_3xx == 100 && status_4xx == 100 && status_5xx == 100" \
        "http://$kernel_url/" "http://$kernel_url/moved" "http://$kernel_url/nothing" "http://$kernel_url/unavailable" \
        -c 8 -n 400
}

test_nginx_large_bodies_octet_by_octet() {
    asks "responses == 2 && bytes_received > 200M" "http://$kernel_url/data" -c 2 -n 2 --timeout 60s \
        --set "load.http.expect_body=\"$work/data\""
    note "$(figure 'received_bps / 8e6 | floor') MB/s"
    # And that it looks: another file is wrong.
    (load "err_wrong == 1" "http://$kernel_url/data" -c 1 -n 1 --set "load.http.expect_body=\"$work/less\"") ||
        fail "another body is taken for the right one"
}

test_nginx_bulk() {
    asks "completed == 2 && status_2xx == responses" "http://$kernel_url/less" -c 2 -d 1s --mode receive \
        --set "load.http.expect_body=\"$work/less\""
}

test_nginx_holds_ten_thousand() {
    asks "completed == 10000 && responses == requests && responses > 0" "http://$kernel_url/" \
        -c 10000 -d 8s --timeout 60s --mode held --set 'load.every="4s"'
}

# kernel_count NAME: of the kernel in $ns, since it began.
kernel_count() {
    inside nstat -asz "$1" | awk -v name="$1" '$1 == name { print $2 }'
}

# hundred N: a hundred ports that no other test of the kernel's TIME-WAIT uses, on whatever link: the kernel remembers the last
# numbers of each for a minute, and a program that has just begun does not know how far the one before it went.
hundred() {
    local of_link=0
    [[ $link == tap ]] || of_link=1
    echo "3$of_link$1"
}

# recycles HUNDRED REFUSED [ARGUMENT...]: the kernel closes first and keeps TIME-WAIT for 60 s; the ports from HUNDRED00,
# each of which comes back many times within it. REFUSED is a condition on how often the kernel does not believe a SYN: each time
# it says so by an acknowledgment, which is counted, and the SYN is sent again.
recycles() {
    local hundred=$1 refused=$2 accepted entries
    shift 2
    accepted=$(kernel_count TcpPassiveOpens)
    asks "$refused && retransmitted == syn_challenged && completed > 300" "http://$kernel_url/" -c 50 -d 2s \
        --close server --ports "${hundred}00-${hundred}99" "$@"
    accepted=$(($(kernel_count TcpPassiveOpens) - accepted))
    ((accepted >= $(figure established))) || fail "the kernel has accepted $accepted, load opened $(figure established)"
    entries=$(inside ss -Htan state time-wait "( sport = :80 )" | grep -c ":$hundred[0-9][0-9] *\$" || true)
    ((entries == 100)) || fail "the kernel has $entries entries in TIME-WAIT, expected 100"
    note "each of 100 ports $(($(figure established) / 100)) times, $(figure syn_challenged) SYNs refused"
}

test_kernel_time_wait_recycled_by_timestamps() {
    recycles "$(hundred 0)" "syn_challenged == 0"
}

test_kernel_time_wait_recycled_by_sequence_numbers() {
    recycles "$(hundred 1)" "syn_challenged == 0" --set tcp.timestamps=false
}

# A client that cannot know the last numbers: the kernel refuses about half of the hundred, once each.
test_kernel_time_wait_refusals_are_explained() {
    local paws ports
    ports=$(hundred 2)
    # The entries that it does not know of.
    load "completed == 100" "http://$kernel_url/" -c 10 -n 100 --close server --ports "${ports}00-${ports}99"
    paws=$(kernel_count TcpExtPAWSTimewait)
    recycles "$ports" "syn_challenged > 0 && syn_challenged <= 100" --set "secrets.file=$work/another-key"
    (($(kernel_count TcpExtPAWSTimewait) - paws <= $(figure syn_challenged))) ||
        fail "the kernel has refused more than load knows"
}

# Tens of thousands of addresses are hosts on the link: the kernel asks for a few of them by ARP or NDP (its table is too
# small for all), and meets ten thousand of them, by way of a router. Its interface is up, and has routes, while `load` runs.
test_kernel_meets_ten_thousand_addresses() {
    local network=10.9.0.0/17 router=192.0.2.7 some=(10.9.0.1 10.9.0.2 10.9.63.255 10.9.64.0 10.9.100.7 10.9.127.254)
    local nobody=10.9.127.255 ours='^10\.9\.' address pid met
    if [[ $server == *:* ]]; then
        network=2001:db8:9::/113 router=2001:db8::7 nobody=2001:db8:9::8000
        ours='^\[2001:db8:9:'
        some=(2001:db8:9::1 2001:db8:9::ff 2001:db8:9::3fff 2001:db8:9::4000 2001:db8:9::7fff)
    fi
    load "errors == 0 && completed == 100" "http://$kernel_url/" -c 100 -d 10s --mode held --source "$router" \
        --source "$network" &
    pid=$!
    eventually 10 ip -n "$ns" route replace "$network" dev tw0 || fail "no route to $network"
    for address in "${some[@]}"; do
        eventually 5 inside ping -c 1 -W 1 "$address" || fail "$address does not answer"
    done
    ip -n "$ns" route replace "$nobody" dev tw0
    ! inside ping -c 1 -W 1 "$nobody" || fail "$nobody answers, and is nobody's"
    wait "$pid"
    eventually 10 ip -n "$ns" route replace "$network" via "$router" dev tw0 &
    asks "completed == 10000 && time_wait == 0" "http://$kernel_url/" -c 100 -n 10000 --close server --source "$network"
    met=$(inside ss -Htan state time-wait "( sport = :80 )" | awk '{ sub(/:[0-9]+$/, "", $NF); print $NF }' |
        sort -u | grep -c "$ours" || true)
    ((met == 10000)) || fail "the kernel has met $met addresses, expected 10000"
}
