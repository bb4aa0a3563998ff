/* Tidewheel as a system under test: the real stack behind a C face, its time the caller's.
 *
 * One sut_t is one host with one IPv4 address. Whole IP packets go in and come out; there is no
 * link: every next hop is reachable at once. Nothing happens between calls, and nothing blocks. A
 * sut_t may be used by one thread at a time. Addresses (ip_be) are in network byte order, ports and
 * times are not. Where a call can fail it returns a negative errno value, as Linux would give it;
 * a null sut_t or pointer is -EFAULT, an unknown handle -EBADF.
 */
#ifndef SUT_H
#define SUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sut sut_t;

/* A host at time now_us (microseconds on a clock of the caller's). NULL if the address is not a
 * unicast one or `flags` (NULL for the defaults) has a value that its key does not take; what was
 * wrong is written to standard error. A key that is unknown here is passed over, and named there:
 * a string may be written for several stacks. `flags` is a comma-separated list of key=value:
 *
 *   rcvbuf=65535        receive buffer, bytes, 1 to 2^30
 *   sndbuf=65536        send buffer, bytes, 1 to 2^30
 *   wscale=on           window scaling (RFC 7323): on, off
 *   timestamps=on       timestamps and PAWS (RFC 7323): on, off
 *   sack=on             selective acknowledgment and recovery by it (RFC 2018, 6675): on, off
 *   mss=1460            MSS option sent and largest segment sent, bytes, 64 to 65495, at most mtu - 40
 *   default_mss=536     the peer's MSS without the option (RFC 9293 MUST-15), bytes
 *   mtu=1500            largest IP packet sent, bytes, 576 to 9216
 *   delack_ms=40        delayed acknowledgment, ms, at most 500; 0 acknowledges at once
 *   nagle=on            Nagle's algorithm, unless TCP_NODELAY is set: on, off (or nodelay=off, on)
 *   initial_window=10   initial congestion window, segments (RFC 6928), 1 to 64 (or iw=10)
 *   cc=newreno          congestion control: newreno, reno (the same); or congestion=newreno
 *   pmtud=on            path MTU discovery by ICMP (RFC 1191): on
 *   ecn=off, tfo=off, syncookies=off, keepalive=off    off: there is none, or SO_KEEPALIVE for it
 *   rto_initial_ms=1000 retransmission timeout before the first measurement (RFC 6298)
 *   rto_min_ms=1000     its least value, ms (RFC 6298 2.4; the product's default is 200)
 *   rto_max_ms=60000    its greatest, backed off
 *   syn_retries=7       retransmissions of a SYN
 *   synack_retries=5    retransmissions of a SYN-ACK
 *   data_retries=15     retransmissions of a segment, or unanswered window probes
 *   user_timeout_ms=0   user timeout (RFC 9293 3.8.3); 0 for none
 *   fin_wait2_ms=60000  FIN-WAIT-2 of a closed socket; 0 waits for ever
 *   time_wait_ms=60000  TIME-WAIT, at most 86400000; 0 keeps none
 *   policy=rfc6191      which SYN may recycle a four-tuple in TIME-WAIT: strict, rfc1122,
 *                       rfc6191, linux, windows, none; sets the next four to what belongs to it
 *   tw_rst=ignore       what a RST does in TIME-WAIT: rfc793 (ends it if in the window), rfc5961
 *                       (if exact, RFC 9293's), ignore (RFC 1337), ignore-2s, linux
 *   tw_syn=drop         what a SYN gets that may not recycle: drop (RFC 6191), ack (RFC 5961)
 *   tw_probe=off        a RST that answers that ack ends TIME-WAIT: on, off
 *   tw_shadow=on        a SYN that proves old restores TIME-WAIT (RFC 9293 MAY-2): on, off
 *   tw_ack_ms=0         least time between two ACKs of unacceptable segments in one TIME-WAIT
 *   replies=10000000    RSTs, ICMP errors, challenge ACKs a second, each kind; a tenth at once
 *   backlog=128         connections in SYN-RECEIVED a listener, at the least
 *   connections=1024    live connections, 1 to 65535
 *   time_waits=16384    four-tuples in TIME-WAIT, 1 to 65535; beyond, the oldest go first
 *   memory=4194304      bytes for text each way, of all connections together, 65536 to 2^30
 *   seed=1              seed of every secret: equal seeds give equal runs
 */
sut_t *sut_new(uint32_t local_ip_be, const char *flags, uint64_t now_us);
void sut_free(sut_t *sut);

/* As socket(2) and its kin on a non-blocking TCP socket. sut_connect starts an open and returns 0;
 * sut_connect_status says how it went: 0, -EAGAIN while it goes on, or why it failed. */
int sut_socket(sut_t *sut);
int sut_bind(sut_t *sut, int h, uint32_t ip_be, uint16_t port);
int sut_listen(sut_t *sut, int h, int backlog);
int sut_accept(sut_t *sut, int h, uint32_t *ip_be, uint16_t *port);
int sut_connect(sut_t *sut, int h, uint32_t ip_be, uint16_t port);
int sut_connect_status(sut_t *sut, int h);

/* Flags: MSG_DONTWAIT, MSG_NOSIGNAL; reading also MSG_PEEK, MSG_TRUNC (discard), MSG_WAITALL. */
ssize_t sut_read(sut_t *sut, int h, void *buf, size_t len, int flags);
ssize_t sut_write(sut_t *sut, int h, const void *buf, size_t len, int flags);
int sut_shutdown(sut_t *sut, int h, int how);
int sut_close(sut_t *sut, int h);

/* The mask that poll(2) would give. */
int sut_poll(sut_t *sut, int h);

/* SOL_SOCKET: SO_ERROR, SO_LINGER, SO_RCVBUF, SO_SNDBUF (not doubled), SO_KEEPALIVE, SO_REUSEADDR,
 * SO_ACCEPTCONN, SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_OOBINLINE (always 1). IPPROTO_TCP: TCP_NODELAY,
 * TCP_MAXSEG, TCP_INFO, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_QUICKACK,
 * TCP_LINGER2, TCP_SYNCNT, TCP_CONGESTION ("reno").
 * Any other is -ENOPROTOOPT. tcpi_state is that of the protocol: TCP_TIME_WAIT while it lasts. */
int sut_getsockopt(sut_t *sut, int h, int level, int option, void *value, socklen_t *len);
int sut_setsockopt(sut_t *sut, int h, int level, int option, const void *value, socklen_t len);

/* An IP packet arrives. 0; -EMSGSIZE above 65,521 bytes. What is wrong with it is the stack's to
 * find out. */
int sut_input(sut_t *sut, const void *ip_pkt, size_t n);

/* The next packet to send: its length, 0 if there is none, -EMSGSIZE (the packet stays) if `cap` is
 * too small. */
ssize_t sut_output(sut_t *sut, void *buf, size_t cap);

/* It is now_us: every timer that is due runs, in order and at its own time. A time before the last
 * changes nothing. */
void sut_advance(sut_t *sut, uint64_t now_us);

/* When the next timer of a connection or of TIME-WAIT is due, or UINT64_MAX. Timers run to the
 * microsecond; TIME-WAIT is never shorter, and up to 1/160 longer. */
uint64_t sut_next_timer(sut_t *sut);

#ifdef __cplusplus
}
#endif
#endif
