# Checks of scripts/interop: the statistics line of `serve`. To be sourced.

# "OPENED CLOSED RECYCLED LIVE TIME-WAIT" of statistics lines: the sums of the first three, which are
# rates over a second each, and the last of the others.
read_lines() {
    awk '
        {
            for (i = 1; i < NF; i++) {
                if ($i == "opened" || $i == "closed" || $i == "recycled") sum[$i] += $(i + 1)
                if ($i == "live" || $i == "time-wait") last[$i] = $(i + 1)
            }
        }
        END { print sum["opened"] + 0, sum["closed"] + 0, sum["recycled"] + 0, last["live"], last["time-wait"] }
    '
}

# near NAME VALUE EXPECTED: within a quarter; an interval is not exactly a second.
near() {
    ((4 * $2 >= 3 * $3 && 4 * $2 <= 5 * $3)) || fail "$1 $2, expected about $3"
}

# idle LOG: whether the last line tells of nothing opened or closed.
idle() {
    tail -n 1 "$1" | grep -qE 'opened 0/s +closed 0/s'
}

test_statistics_line_counts() {
    local log="$work/$server_name.log" before i opened closed recycled live time_wait
    # What came before has been told.
    eventually 5 idle "$log" || fail "no line without a connection opened or closed"
    before=$(wc -l <"$log")
    for i in {1..41}; do
        fetch_from 55003
    done
    sleep 2.2
    tail -n +$((before + 1)) "$log" >"$work/lines"
    cat "$work/lines"
    read -r opened closed recycled live time_wait < <(read_lines <"$work/lines")
    near opened "$opened" 41
    near closed "$closed" 41
    near recycled "$recycled" 40
    ((live == 0)) || fail "live $live, expected 0"
    ((time_wait > 0)) || fail "time-wait $time_wait, expected more"
    grep -q 'recycled [1-9].*([a-z_]*timestamp' "$work/lines" || fail "no reason beside recycled"
}
