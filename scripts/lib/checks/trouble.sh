# Checks of scripts/interop: over a link that loses, duplicates, delays and reorders frames. To be sourced.

test_download_in_trouble() {
    inside curl -sS --fail --max-time 60 -w '%{stderr}%{speed_download}' -o "$work/got" "http://$server_url:8081/" \
        2>"$work/speed"
    same "$work/got" "$work/less"
    note "$(megabytes_per_second "$(<"$work/speed")")"
}

test_upload_in_trouble() {
    upload "$work/less" -w '%{stderr}%{speed_upload}' 2>"$work/speed"
    note "$(megabytes_per_second "$(<"$work/speed")")"
}

test_echo_in_trouble() {
    # Both ways at once.
    inside timeout 60 nc -N "$server" 7 <"$work/less" >"$work/got"
    same "$work/got" "$work/less"
}

test_connections_in_trouble() {
    local i
    for i in {1..50}; do
        inside curl -sS --fail --max-time 20 -o "$work/got" "http://$server_url/"
        [[ $(wc -c <"$work/got") == 1024 ]] || fail "body $i is not 1024 bytes"
    done
}

# The relay has ended and told: no check passes because there was no trouble.
test_relay_made_trouble() {
    local way
    for way in there back; do
        grep -E "^$way .* lost [1-9][0-9]+ duplicated [1-9][0-9]+ held [1-9][0-9]+ " "$work/relay.log" ||
            fail "$(cat "$work/relay.log")"
    done
    note "$(sed -n 's/ sent.*//p' "$work/relay.log" | tr '\n' ' ')"
}
