# A server, a kernel as its peer, and the link between them. To be sourced after testing.sh. Needs root, and
# $work, a directory of our own, $program and $injector.
#
#   kernel: tw0, 192.0.2.2, 2001:db8::2  <-->  tidewheel serve, 192.0.2.1, 2001:db8::1
#
# The kernel's end is always tw0 in the namespace $ns. What is behind it is $link:
#
#   tap         net_tap: the server itself makes tw0
#   af_packet   net_af_packet on the other end of a pair of veth, in a namespace of its own
#   af_xdp      net_af_xdp there
#   memif       net_memif, and a relay of ours that makes tw0 with net_tap
#   vlan        net_af_packet as above with VLAN 7, and a relay that takes the tag off
#   trouble     memif with a relay that gives frames the trouble named by $trouble
#
# $workers of them serve: on TAP with so many queues, on AF_PACKET with so many sockets over which the kernel
# fans out by a hash of its own.
#
# net_ring has both ends in one process, so no kernel can be its peer: tests in crates/runtime use it.

ns="tidewheel-$$"
server_ns=$ns
link=tap
workers=1
trouble=()
server_v4=192.0.2.1 server_v6=2001:db8::1
kernel_v4=192.0.2.2 kernel_v6=2001:db8::2
server_name=
readonly vlan_id=7 metrics=127.0.0.1:9464

# Beside the kernel that is the peer.
inside() {
    ip netns exec "$ns" "$@"
}

at_server() {
    ip netns exec "$server_ns" "$@"
}

make_namespace() {
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    # Checks name these themselves. A client that closed first from one of them, picked by the kernel, would keep it for a minute.
    inside sysctl -q -w net.ipv4.ip_local_reserved_ports=55000-55005
}

# use_link LINK: for servers started from now on.
use_link() {
    link=$1
    case $link in
    af_packet | af_xdp | vlan)
        server_ns=$ns-server
        ip netns add "$server_ns"
        ip -n "$server_ns" link set lo up
        ;;
    *) server_ns=$ns ;;
    esac
    case $link in
    af_packet | af_xdp) make_veth tw0 ;;
    vlan)
        make_veth tw1
        inside sysctl -q -w net.ipv6.conf.tw1.disable_ipv6=1
        ;;
    esac
}

# make_veth NAME: an interface of the kernel's whose other end, tws, is the server's device.
make_veth() {
    ip link add "$1" netns "$ns" type veth peer name tws netns "$server_ns"
    # Or the kernel would hand over frames that are merged and not yet summed, as between its own ends.
    inside ethtool -K "$1" tx off gso off tso off >/dev/null
    # Only the server is to be a host at its end.
    at_server sysctl -q -w net.ipv6.conf.tws.disable_ipv6=1
    ip -n "$ns" link set "$1" up
    ip -n "$server_ns" link set tws up
}

# What `serve` is told of its device.
server_device() {
    case $link in
    tap) echo net_tap0,iface=tw0 ;;
    af_packet | vlan) echo "net_af_packet0,iface=tws,qpairs=$workers" ;;
    af_xdp) echo net_af_xdp0,iface=tws ;;
    memif | trouble) echo "net_memif0,role=server,socket=$ns,socket-abstract=yes" ;;
    esac
}

# The relay of links that need one: its output is in $work/relay.log, its process in $work/relay.pid.
start_relay() {
    local memif="net_memif0,role=client,socket=$ns,socket-abstract=yes" tap=net_tap0,iface=tw0
    local arguments=()
    case $link in
    memif) arguments=(--from "$memif") ;;
    trouble) arguments=(--from "$memif" "${trouble[@]}") ;;
    vlan) arguments=(--from net_af_packet0,iface=tw1 --vlan "$vlan_id") ;;
    *) return 0 ;;
    esac
    ip netns exec "$ns" "$injector" relay "${arguments[@]}" --to "$tap" >"$work/relay.log" 2>&1 &
    echo $! >"$work/relay.pid"
}

stop_relay() {
    [[ -e $work/relay.pid ]] || return 0
    local pid
    pid=$(<"$work/relay.pid")
    rm "$work/relay.pid"
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# launch_server NAME CONFIG DEVICE [ARGUMENT...]: its output is in $work/NAME.log, its process in $work/NAME.pid,
# and once it has ended its exit status in $work/NAME.status.
launch_server() {
    server_name=$1
    local config=$2 device=$3 log="$work/$1.log"
    shift 3
    if [[ $link == vlan ]]; then
        set -- --set "port.vlan=$vlan_id" "$@"
    fi
    if ((workers > 1)); then
        set -- --cpus "$(seq --separator=, 0 $((workers - 1)))" "$@"
    fi
    rm -f "$work/$server_name".{pid,status}
    (
        # This shell outlives the server only to keep its exit status.
        set +e
        ip netns exec "$server_ns" "$program" serve "$config" --device "$device" \
            --set "metrics.listen=$metrics" "$@" >"$log" 2>&1 &
        echo $! >"$work/$server_name.pid.new"
        mv "$work/$server_name.pid.new" "$work/$server_name.pid"
        wait $!
        echo $? >"$work/$server_name.status"
    ) &
    eventually 5 test -e "$work/$server_name.pid"
    # The server waits on memif's socket before the relay connects to it.
    if ! eventually 20 grep -q '^device ' "$log"; then
        echo "the server does not start:"
        show "$log"
        return 1
    fi
}

# start_server NAME CONFIG [ARGUMENT...]: a server on $link, and the kernel as its peer.
start_server() {
    local name=$1 config=$2 log="$work/$1.log"
    shift 2
    launch_server "$name" "$config" "$(server_device)" "$@"
    start_relay
    if ! eventually 20 ip -n "$ns" link show tw0; then
        echo "there is no tw0:"
        show "$work/relay.log"
        return 1
    fi
    give_addresses
    if ! eventually 20 inside ping -c 1 -W 1 "$server_v4"; then
        echo "the server does not answer:"
        show "$log"
        return 1
    fi
}

# give_addresses [NAMESPACE]: to the kernel's end of the link.
give_addresses() {
    local where=${1-$ns}
    # Or those of IPv6 would go with the link.
    ip netns exec "$where" sysctl -q -w net.ipv6.conf.tw0.keep_addr_on_down=1
    ip -n "$where" address replace "$kernel_v4/24" dev tw0
    ip -n "$where" address replace "$kernel_v6/64" dev tw0 nodad
    ip -n "$where" link set tw0 up
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
    if [[ -n $server_name && -e $work/$server_name.pid ]] && ! server_ended; then
        signal_server TERM 2>/dev/null || true
        if ! eventually 10 server_ended; then
            signal_server KILL 2>/dev/null || true
            eventually 5 server_ended || true
        fi
    fi
    stop_relay
}

# Takes the current link away, the server gone; a new one can be made.
drop_link() {
    if [[ $server_ns != "$ns" ]]; then
        delete_namespace "$server_ns"
        server_ns=$ns
        # The pair goes with either end, but not at once.
        eventually 5 no_veth
    fi
    link=tap
}

no_veth() {
    ! ip -n "$ns" link show tw0 && ! ip -n "$ns" link show tw1
}

# Ends what still runs in namespaces that are ours alone, and deletes them.
delete_namespaces() {
    local name
    for name in "$ns" "$ns-server" "$ns-other"; do
        delete_namespace "$name"
    done
}

delete_namespace() {
    local pids
    pids=$(ip netns pids "$1" 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # a list
    [[ -z $pids ]] || kill $pids 2>/dev/null || true
    ip netns delete "$1"
}
