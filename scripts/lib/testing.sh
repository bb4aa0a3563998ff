# Runs named tests and counts them. To be sourced by a script with `set -euo pipefail`.
#
# A test is a function test_NAME, run in a subshell with errexit: it fails where a command does, and
# `fail WHY` says why. What it prints is shown only if it fails; `note TEXT` is shown beside its name, and so is how long it
# took if that was long.

passed=0
failed=0
skipped=0

fail() {
    echo "because: $*" >&2
    exit 1
}

note() {
    echo "$*" >>"$work/note"
}

# run_test NAME
run_test() {
    local name=$1 log="$work/test.log" status=0 why begun=${EPOCHREALTIME/./}
    : >"$work/note"
    set +e
    (
        set -e
        "test_$name"
    ) >"$log" 2>&1
    status=$?
    set -e
    local took=$(((${EPOCHREALTIME/./} - begun) / 1000000))
    ((took < 3)) || note "$took s"
    if ((status == 0)); then
        passed=$((passed + 1))
        printf 'ok %s%s\n' "$name" "$(sed 's/^/  /' "$work/note" | tr -d '\n')"
    else
        failed=$((failed + 1))
        why=$(sed -n 's/^because: //p' "$log" | tail -n 1)
        printf 'FAIL %s %s\n' "$name" "${why:-exit status $status}"
        show "$log"
    fi
}

# run_table NAME COMMAND...: the command prints `ok ROW` and `FAIL ROW why` itself.
run_table() {
    local name=$1 log="$work/table.log" status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    grep -E '^(ok|FAIL) ' "$log" || true
    passed=$((passed + $(grep -c '^ok ' "$log" || true)))
    failed=$((failed + $(grep -c '^FAIL ' "$log" || true)))
    if ((status > 1)); then
        failed=$((failed + 1))
        printf 'FAIL %s exit status %s\n' "$name" "$status"
        show "$log"
    fi
}

# skip NAME WHY
skip() {
    skipped=$((skipped + 1))
    printf 'skipped %s: %s\n' "$1" "$2"
}

# The end of a file, indented.
show() {
    tail -n 40 "$1" | sed 's/^/    | /'
}

# Prints the last line and returns whether nothing failed.
summary() {
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0))
}

# eventually SECONDS COMMAND...: until it succeeds.
eventually() {
    local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@" >/dev/null 2>&1; do
        ((${EPOCHREALTIME/./} < deadline)) || return 1
        sleep 0.05
    done
}
