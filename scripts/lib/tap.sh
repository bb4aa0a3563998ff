# A namespace of our own, and in it a server behind a TAP interface with the kernel as its peer. To be
# sourced after testing.sh. Needs root, and $work, a directory of our own.
#
#   kernel: tw0, 192.0.2.2, 2001:db8::2  <-->  net_tap0: tidewheel serve, 192.0.2.1, 2001:db8::1

ns="tidewheel-$$"
server_v4=192.0.2.1 server_v6=2001:db8::1
kernel_v4=192.0.2.2 kernel_v6=2001:db8::2
server_name=

inside() {
    ip netns exec "$ns" "$@"
}

make_namespace() {
    ip netns add "$ns"
    ip -n "$ns" link set lo up
}

# start_server NAME CONFIG [ARGUMENT...]: its output is in $work/NAME.log, its process in $work/NAME.pid,
# and once it has ended its exit status in $work/NAME.status.
start_server() {
    server_name=$1
    local config=$2 log="$work/$1.log"
    shift 2
    rm -f "$work/$server_name".{pid,status}
    (
        # This shell outlives the server only to keep its exit status.
        set +e
        ip netns exec "$ns" "$program" serve "$config" "$@" >"$log" 2>&1 &
        echo $! >"$work/$server_name.pid.new"
        mv "$work/$server_name.pid.new" "$work/$server_name.pid"
        wait $!
        echo $? >"$work/$server_name.status"
    ) &
    eventually 5 test -e "$work/$server_name.pid"
    if ! eventually 20 ip -n "$ns" link show tw0; then
        echo "the server did not make tw0:"
        show "$log"
        return 1
    fi
    ip -n "$ns" address add "$kernel_v4/24" dev tw0
    ip -n "$ns" address add "$kernel_v6/64" dev tw0 nodad
    ip -n "$ns" link set tw0 up
    if ! eventually 20 inside ping -c 1 -W 1 "$server_v4"; then
        echo "the server does not answer:"
        show "$log"
        return 1
    fi
}

server_pid() {
    cat "$work/$server_name.pid"
}

server_ended() {
    [[ -e $work/$server_name.status ]]
}

signal_server() {
    kill -s "$1" "$(server_pid)"
}

# Ends the server if a test has not, and with force if it does not end.
stop_server() {
    [[ -n $server_name && -e $work/$server_name.pid ]] || return 0
    server_ended && return
    signal_server TERM 2>/dev/null || true
    if ! eventually 10 server_ended; then
        signal_server KILL 2>/dev/null || true
        eventually 5 server_ended || true
    fi
}

# Ends what still runs in the namespace, which is ours alone, and deletes it.
delete_namespace() {
    local pids
    pids=$(ip netns pids "$ns" 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # a list
    [[ -z $pids ]] || kill $pids 2>/dev/null || true
    ip netns delete "$ns"
}
