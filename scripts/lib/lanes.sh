# scripts/interop in several processes at once: each has namespaces of its own and waits most of the time. To be sourced;
# $wanted are the tests.

# run_lanes LINKS...: a process for each argument. The first one's lines come as they are written, those of the others at its end.
run_lanes() {
    local folder lane status=0
    local -a pids=()
    folder=$(mktemp -d /tmp/tidewheel-lanes.XXXXXX)
    for lane in "$@"; do
        scripts/interop --link "$lane" "${wanted[@]}" >"$folder/$lane" 2>&1 &
        pids+=($!)
    done
    # Each cleans up after itself.
    trap 'kill "${pids[@]}" 2>/dev/null || true; wait || true; rm -rf "$folder"; exit 130' INT TERM
    for lane in "$@"; do
        tail --lines=+1 --follow --pid="${pids[0]}" --sleep-interval=0.2 "$folder/$lane"
        wait "${pids[0]}" || status=$?
        pids=("${pids[@]:1}")
    done
    awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5 }
        END { print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped in all" }' "$folder"/*
    rm -rf "$folder"
    return "$status"
}
