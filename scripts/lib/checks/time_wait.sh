# Checks of scripts/interop: segments forged one by one against a server in TIME-WAIT. To be sourced.

forge() {
    inside timeout 60 "$injector" "$1" --interface tw0 --server "$server_url:80" "${@:2}"
}

table_vectors() {
    forge vectors --address "$stranger"
}

table_expiry() {
    forge expiry --address "$stranger" --time-wait-ms 3000
}

# A connection of the kernel's is watched; then its old segments come again, in the kernel's name.
table_replay() {
    forge replay --client "$kernel_url:55002" >"$work/replay" &
    local pid=$! status=0
    eventually 5 grep -q watching "$work/replay"
    (fetch_from 55002) || status=$?
    wait "$pid" || status=$?
    cat "$work/replay"
    return "$status"
}

test_same_port_returns_after_replays() {
    fetch_from 55002
}
