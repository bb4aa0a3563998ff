# `tidewheel load` as the client: of `serve` in another process, and of programs that use the kernel's TCP. To be
# sourced after link.sh.
#
# A pair is a device for each of the two processes of ours, in the namespace $ns and joined there:
#
#   tap         two TAPs on a bridge
#   af_packet   the ends of a pair of veth
#   memif       the ends of one memif
#
# Both ends have $workers.
#
# Where the kernel is the peer, `load` has the device, the namespace and the addresses that `serve` has elsewhere.

load_ns=$ns
load_device=
pair_device=
nginx=

# use_pair PAIR
use_pair() {
    local end
    load_ns=$ns
    case $1 in
    tap)
        ip -n "$ns" link add tw-bridge type bridge
        silent tw-bridge
        for end in tws twc; do
            make_tap "$end"
            silent "$end"
            ip -n "$ns" link set "$end" master tw-bridge
        done
        ip -n "$ns" link set tw-bridge up
        pair_device=net_tap0,iface=tws load_device=net_tap0,iface=twc
        ;;
    af_packet)
        ip -n "$ns" link add tws type veth peer name twc
        silent tws
        silent twc
        pair_device=net_af_packet0,iface=tws,qpairs=$workers load_device=net_af_packet0,iface=twc,qpairs=$workers
        ;;
    memif)
        pair_device=net_memif0,role=server,socket=$ns,socket-abstract=yes
        load_device=net_memif0,role=client,socket=$ns,socket-abstract=yes
        ;;
    esac
}

drop_pair() {
    local end
    for end in tws twc tw-bridge; do
        ip -n "$ns" link delete "$end" 2>/dev/null || true
    done
}

# An interface at which the kernel is no host.
silent() {
    inside sysctl -q -w "net.ipv6.conf.$1.disable_ipv6=1"
    ip -n "$ns" link set "$1" up
}

# One that stays when who uses it ends. In its queue is room for what ten thousand connections send at once: an
# acknowledgment that is lost last is not repeated by a `load` that has ended.
make_tap() {
    inside ip tuntap add dev "$1" mode tap multi_queue
    ip -n "$ns" link set "$1" txqueuelen 20000
}

# The kernel is the peer, over $link.
use_kernel() {
    load_ns=$server_ns
    load_device=$(server_device)
    if [[ $link == tap ]]; then make_tap tw0; fi
    # Its interface loses its carrier whenever `load` ends.
    inside sysctl -q -w net.ipv6.conf.tw0.keep_addr_on_down=1
    ip -n "$ns" address replace "$kernel_v4/24" dev tw0
    ip -n "$ns" address replace "$kernel_v6/64" dev tw0 nodad
    ip -n "$ns" link set tw0 up
}

drop_kernel() {
    if [[ $link == tap ]]; then ip -n "$ns" link delete tw0; fi
}

# load PASS ARGUMENT...: from an address of its own, of the family at hand. Fails if the run does not pass. Its JSON goes
# to $work/load.json. The key is kept, or servers that have four-tuples of the run before in TIME-WAIT would not believe
# their SYNs. Nobody else is on the link, so no address is verified; what is begun has time to end.
load() {
    local pass=$1 address=192.0.2.7/24 status=0
    shift
    if [[ $server == *:* ]]; then address=2001:db8::7/64; fi
    timeout 120 ip netns exec "$load_ns" "$program" load --device "$load_device" --address "$address" --idle yield \
        --hugepages no --set "secrets.file=$work/key" --set host.address_probes=0 --set control.drain_timeout=30s \
        --json --pass "$pass" "$@" >"$work/load.json" 2>"$work/load.log" || status=$?
    cat "$work/load.log"
    jq -c 'del(.latency_us)' "$work/load.json" || true
    ((status == 0)) || fail "exit status $status of load $*: $(jq -c '[.pass, .problems]' "$work/load.json")"
}

# figure NAME: of the last run; such as latency_us.request.p99.
figure() {
    jq -r ".$1" "$work/load.json"
}

# scrape FILE: the counters of `serve`.
scrape() {
    at_server curl -sS --fail --max-time 5 "http://$metrics/metrics" >"$work/$1"
}

# grown NAME: by how much a counter of `serve` is greater in $work/after than in $work/before.
grown() {
    awk -v name="tidewheel_$1_total{" '
        index($1, name) == 1 { sum += FNR == NR ? -$2 : $2 }
        END { printf "%.0f\n", sum }' "$work/before" "$work/after"
}

# same_count WHAT COUNTER EXPECTED: `serve` has counted that.
same_count() {
    (($(grown "$2") == $3)) || fail "$1: serve has counted $(grown "$2") ($2), load $3"
}

# start_nginx: as the kernel's HTTP server, with the files of $work.
start_nginx() {
    cat >"$work/nginx.conf" <<END_OF_CONF
daemon off;
user root;
pid $work/nginx.pid;
error_log $work/nginx.log crit;
worker_processes 1;
worker_rlimit_nofile 12000;
events { worker_connections 11000; }
http {
    access_log off;
    keepalive_requests 1000000;
    server {
        listen 80 backlog=16384;
        listen [::]:80 backlog=16384;
        root $work;
        location = / { return 200 "found\n"; }
        location = /unavailable { return 503; }
        location = /moved { return 301 /; }
        location = /status { stub_status; }
    }
}
END_OF_CONF
    ip netns exec "$ns" nginx -c "$work/nginx.conf" &
    nginx=$!
    eventually 10 inside curl -sS --fail --max-time 1 -o /dev/null http://127.0.0.1/ || fail "nginx does not start"
}

stop_nginx() {
    [[ -n $nginx ]] || return 0
    kill "$nginx" 2>/dev/null || true
    wait "$nginx" 2>/dev/null || true
    nginx=
}

# nginx_counts: accepted and handled connections, and requests, this one included.
nginx_counts() {
    inside curl -sS --fail --max-time 5 http://127.0.0.1/status | sed -n '3p'
}
