/* Drives the system under test through its header alone: two hosts wired back to back, packets made
 * by hand, and what must not crash. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sut.h"

#define CHECK(got, want)                                                                            \
    do {                                                                                            \
        long long g_ = (long long)(got), w_ = (long long)(want);                                    \
        if (g_ != w_) {                                                                             \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __func__, __LINE__, #got, g_, w_);     \
            exit(1);                                                                                \
        }                                                                                           \
    } while (0)

#define FLAGS                                                                                       \
    "rcvbuf=65535,wscale=off,timestamps=off,sack=off,mss=1460,delack_ms=0,time_wait_ms=60000,"      \
    "policy=rfc6191"

static const uint64_t T0 = 1000000000;

static uint32_t ip(const char *text) { return inet_addr(text); }

/* Carries packets between the two until both are silent; returns how many there were. */
static int carry(sut_t *a, sut_t *b)
{
    unsigned char packet[2048];
    int carried = 0;
    for (;;) {
        int before = carried;
        ssize_t n;
        while ((n = sut_output(a, packet, sizeof packet)) > 0) {
            CHECK(sut_input(b, packet, (size_t)n), 0);
            carried++;
        }
        while ((n = sut_output(b, packet, sizeof packet)) > 0) {
            CHECK(sut_input(a, packet, (size_t)n), 0);
            carried++;
        }
        if (carried == before)
            return carried;
    }
}

static int state(sut_t *s, int h)
{
    unsigned char info[sizeof(struct tcp_info)];
    socklen_t len = sizeof info;
    CHECK(sut_getsockopt(s, h, IPPROTO_TCP, TCP_INFO, info, &len), 0);
    return info[0];
}

static void a_connection_from_handshake_to_time_wait(void)
{
    sut_t *server = sut_new(ip("192.0.2.1"), FLAGS, T0);
    sut_t *client = sut_new(ip("192.0.2.2"), FLAGS, T0);
    char buf[64];
    uint32_t peer_ip;
    uint16_t peer_port;

    int l = sut_socket(server);
    CHECK(sut_bind(server, l, 0, 80), 0);
    CHECK(sut_listen(server, l, 8), 0);
    CHECK(state(server, l), TCP_LISTEN);
    CHECK(sut_accept(server, l, NULL, NULL), -EAGAIN);
    CHECK(sut_poll(server, l), 0);

    int c = sut_socket(client);
    CHECK(sut_connect_status(client, c), -ENOTCONN);
    CHECK(sut_connect(client, c, ip("192.0.2.1"), 80), 0);
    CHECK(sut_connect(client, c, ip("192.0.2.1"), 80), -EALREADY);
    CHECK(sut_connect_status(client, c), -EAGAIN);
    CHECK(state(client, c), TCP_SYN_SENT);
    CHECK(carry(client, server), 3);
    CHECK(sut_connect_status(client, c), 0);
    CHECK(sut_connect(client, c, ip("192.0.2.1"), 80), -EISCONN);
    CHECK(sut_poll(server, l) & POLLIN, POLLIN);
    int s = sut_accept(server, l, &peer_ip, &peer_port);
    if (s < 0)
        CHECK(s, 0);
    CHECK(peer_ip, ip("192.0.2.2"));
    CHECK(peer_port >= 49152, 1);
    CHECK(state(server, s), TCP_ESTABLISHED);

    CHECK(sut_write(client, c, "question", 8, 0), 8);
    CHECK(carry(client, server), 2);
    CHECK(sut_poll(server, s) & (POLLIN | POLLOUT), POLLIN | POLLOUT);
    CHECK(sut_read(server, s, buf, 4, MSG_PEEK), 4);
    CHECK(sut_read(server, s, buf, sizeof buf, 0), 8);
    CHECK(memcmp(buf, "question", 8), 0);
    CHECK(sut_read(server, s, buf, sizeof buf, 0), -EAGAIN);
    CHECK(sut_write(server, s, "answer", 6, MSG_NOSIGNAL), 6);
    CHECK(sut_shutdown(server, s, SHUT_WR), 0);
    CHECK(sut_write(server, s, "x", 1, 0), -EPIPE);
    carry(client, server);
    CHECK(state(server, s), TCP_FIN_WAIT2);
    CHECK(state(client, c), TCP_CLOSE_WAIT);
    CHECK(sut_poll(client, c) & (POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    CHECK(sut_read(client, c, buf, sizeof buf, 0), 6);
    CHECK(memcmp(buf, "answer", 6), 0);
    CHECK(sut_read(client, c, buf, sizeof buf, 0), 0);
    CHECK(sut_close(client, c), 0);
    CHECK(carry(client, server), 2);
    CHECK(sut_poll(client, c), -EBADF);
    CHECK(state(server, s), TCP_TIME_WAIT);
    CHECK(sut_read(server, s, buf, sizeof buf, 0), 0);

    /* TIME-WAIT: 60 s, never less, and at most 1/160 more. */
    CHECK(sut_next_timer(client), UINT64_MAX);
    uint64_t end = sut_next_timer(server);
    CHECK(end >= T0 + 60000000 && end <= T0 + 60375000, 1);
    sut_advance(server, end - 1);
    CHECK(state(server, s), TCP_TIME_WAIT);
    sut_advance(server, end);
    CHECK(state(server, s), TCP_CLOSE);
    CHECK(sut_next_timer(server), UINT64_MAX);
    sut_free(server);
    sut_free(client);
}

struct segment {
    unsigned char bytes[60];
};

static uint16_t checksum(const unsigned char *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    if (n % 2)
        sum += (uint32_t)p[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* 192.0.2.9:7777 -> 192.0.2.1:80, 40 bytes. */
static void make(unsigned char *p, unsigned flags, uint32_t seq, uint32_t ack)
{
    static const unsigned char head[20] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0,
                                           192,  0, 2, 9,  192, 0, 2,  1};
    memcpy(p, head, 20);
    memset(p + 20, 0, 20);
    p[20] = 7777 >> 8;
    p[21] = 7777 & 255;
    p[23] = 80;
    put32(p + 24, seq);
    put32(p + 28, ack);
    p[32] = 5 << 4;
    p[33] = (unsigned char)flags;
    p[34] = 0x20;
    uint16_t ip_sum = checksum(p, 20, 0);
    p[10] = (unsigned char)(ip_sum >> 8);
    p[11] = (unsigned char)ip_sum;
    uint16_t tcp_sum = checksum(p + 12, 28, 6 + 20);
    p[36] = (unsigned char)(tcp_sum >> 8);
    p[37] = (unsigned char)tcp_sum;
}

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static void packets_made_by_hand(void)
{
    sut_t *s = sut_new(ip("192.0.2.1"), FLAGS, T0);
    unsigned char in[40], out[2048];

    /* Nobody listens: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
    make(in, SYN, 1000, 0);
    CHECK(sut_input(s, in, sizeof in), 0);
    CHECK(sut_output(s, out, sizeof out), 40);
    CHECK(out[33], RST | ACK);
    CHECK(get32(out + 24), 0);
    CHECK(get32(out + 28), 1001);
    CHECK(sut_output(s, out, sizeof out), 0);

    int l = sut_socket(s);
    CHECK(sut_bind(s, l, ip("192.0.2.1"), 80), 0);
    CHECK(sut_listen(s, l, 1), 0);
    CHECK(sut_input(s, in, sizeof in), 0);
    /* Too small a buffer: the packet stays. */
    CHECK(sut_output(s, out, 20), -EMSGSIZE);
    CHECK(sut_output(s, NULL, 2048), -EFAULT);
    ssize_t n = sut_output(s, out, sizeof out);
    CHECK(n, 44);
    CHECK(out[33], SYN | ACK);
    CHECK(get32(out + 28), 1001);
    CHECK(get32(out + 40), 0x02040000 + 1460);
    uint32_t iss = get32(out + 24);

    /* The SYN-ACK again, after one second and then two (RFC 6298). */
    CHECK(sut_next_timer(s), T0 + 1000000);
    sut_advance(s, T0 + 999999);
    CHECK(sut_output(s, out, sizeof out), 0);
    sut_advance(s, T0 + 1000000);
    CHECK(sut_output(s, out, sizeof out), 44);
    CHECK(get32(out + 24), iss);
    CHECK(sut_next_timer(s), T0 + 3000000);

    make(in, ACK, 1001, iss + 1);
    CHECK(sut_input(s, in, sizeof in), 0);
    int c = sut_accept(s, l, NULL, NULL);
    CHECK(c >= 0, 1);
    CHECK(sut_next_timer(s), UINT64_MAX);
    make(in, RST, 1001, 0);
    CHECK(sut_input(s, in, sizeof in), 0);
    int error = 0;
    socklen_t len = sizeof error;
    CHECK(sut_poll(s, c) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    CHECK(sut_getsockopt(s, c, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    CHECK(error, ECONNRESET);
    CHECK(sut_read(s, c, out, sizeof out, 0), 0);
    CHECK(sut_write(s, c, "x", 1, 0), -EPIPE);
    sut_free(s);
}

static void what_must_not_crash(void)
{
    static unsigned char junk[65600];
    uint32_t seed = 1;
    CHECK(sut_new(ip("192.0.2.1"), "wscale=nonsense", T0) == NULL, 1);
    CHECK(sut_new(ip("192.0.2.1"), "rcvbuf=-3", T0) == NULL, 1);
    CHECK(sut_new(ip("224.0.0.1"), NULL, T0) == NULL, 1);
    CHECK(sut_socket(NULL), -EFAULT);
    CHECK(sut_input(NULL, junk, 20), -EFAULT);
    CHECK(sut_next_timer(NULL), UINT64_MAX);
    sut_advance(NULL, T0);
    sut_free(NULL);

    sut_t *s = sut_new(ip("192.0.2.1"), NULL, T0);
    CHECK(s != NULL, 1);
    int handles[] = {-1, 0, 1, 1 << 20, -(1 << 30)};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        int h = handles[i];
        CHECK(sut_bind(s, h, 0, 1), -EBADF);
        CHECK(sut_listen(s, h, 1), -EBADF);
        CHECK(sut_accept(s, h, NULL, NULL), -EBADF);
        CHECK(sut_connect(s, h, ip("192.0.2.2"), 1), -EBADF);
        CHECK(sut_connect_status(s, h), -EBADF);
        CHECK(sut_read(s, h, junk, 1, 0), -EBADF);
        CHECK(sut_write(s, h, junk, 1, 0), -EBADF);
        CHECK(sut_shutdown(s, h, SHUT_WR), -EBADF);
        CHECK(sut_close(s, h), -EBADF);
        CHECK(sut_poll(s, h), -EBADF);
        CHECK(sut_getsockopt(s, h, SOL_SOCKET, SO_ERROR, junk, NULL), -EFAULT);
        CHECK(sut_setsockopt(s, h, SOL_SOCKET, SO_ERROR, junk, 4), -EBADF);
    }
    int h = sut_socket(s);
    CHECK(sut_read(s, h, NULL, 10, 0), -EFAULT);
    CHECK(sut_write(s, h, NULL, 10, 0), -EFAULT);
    CHECK(sut_setsockopt(s, h, IPPROTO_TCP, TCP_NODELAY, NULL, 4), -EFAULT);
    CHECK(sut_setsockopt(s, h, IPPROTO_TCP, TCP_NODELAY, junk, 1), -EINVAL);
    CHECK(sut_setsockopt(s, h, IPPROTO_TCP, TCP_DEFER_ACCEPT, junk, 4), -ENOPROTOOPT);
    CHECK(sut_input(s, NULL, 20), -EFAULT);
    CHECK(sut_input(s, junk, 65522), -EMSGSIZE);
    CHECK(sut_listen(s, h, 1), 0);
    for (size_t round = 0; round < 20000; round++) {
        size_t n = seed % 80;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            junk[i] = (unsigned char)(seed >> 24);
        }
        if (round % 2 && n > 20)
            make(junk, junk[33], seed, seed >> 3);
        CHECK(sut_input(s, junk, n), 0);
        while (sut_output(s, junk, sizeof junk) > 0)
            ;
    }
    CHECK(sut_input(s, junk, 65521), 0);
    sut_advance(s, T0 + 86400000000);
    sut_advance(s, 0);
    CHECK(sut_next_timer(s) > T0, 1);
    sut_advance(s, UINT64_MAX - 1);
    CHECK(sut_next_timer(s), UINT64_MAX);
    sut_free(s);
}

int main(void)
{
    a_connection_from_handshake_to_time_wait();
    packets_made_by_hand();
    what_must_not_crash();
    return 0;
}
