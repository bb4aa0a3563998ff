# Checks of scripts/interop: transfers both ways, byte for byte. To be sourced.

# same FILE [ORIGINAL]: byte for byte what was to be transferred.
same() {
    cmp "$1" "${2-$work/data}" || fail "the bytes are not the same"
}

# upload FILE [ARGUMENT...]: the server answers with the length and CRC-32 of what it has received.
upload() {
    local file=$1 answer length crc
    shift
    answer=$(inside curl -sS --fail --max-time 60 "$@" -T "$file" "http://$server_url:80/")
    length=$(wc -c <"$file")
    # gzip computes the same CRC-32, and keeps it in front of the length at its end.
    crc=$(gzip -1 -c "$file" | tail -c 8 | od -A n -N 4 -t x4 --endian=little | tr -d ' ')
    [[ $answer == "$length $crc" ]] || fail "the answer is '$answer', expected '$length $crc'"
}

megabytes_per_second() {
    awk -v b="$1" 'BEGIN { printf "%.0f MB/s", b / 1e6 }'
}

test_curl_downloads() {
    local speed
    speed=$(inside curl -sS --fail --max-time 60 -w '%{speed_download}' -o "$work/got" \
        "http://$server_url:8080/")
    same "$work/got"
    note "$(megabytes_per_second "$speed")"
}

test_download_waits_for_a_closed_window() {
    # The reader sleeps until the window is shut and probes of it have begun.
    inside curl -sS --fail --max-time 60 "http://$server_url:8080/" | {
        sleep 2
        cat
    } >"$work/got"
    same "$work/got"
}

test_curl_uploads() {
    upload "$work/data" -w '%{stderr}%{speed_upload}' 2>"$work/speed"
    note "$(megabytes_per_second "$(<"$work/speed")")"
}

test_nc_half_closes_and_still_receives() {
    [[ $(printf 'hello' | inside nc -N -w 5 "$server" 7) == hello ]] || fail "no echo of five bytes"
    # Both directions at once, and the last bytes come back long after the FIN went out.
    inside timeout 60 nc -N "$server" 7 <"$work/data" >"$work/got"
    same "$work/got"
}
