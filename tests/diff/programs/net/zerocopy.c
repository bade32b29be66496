// MSG_ZEROCOPY: who may, and what the error queue tells of it.
// diff: cpus=2; libc=glibc
#include "net/n.h"
#include <linux/errqueue.h>
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
static char b[20000];
static void told(const char *what, int s) {
    char control[256];
    struct iovec v = {b, sizeof b};
    struct sockaddr_storage name;
    struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
    printf("%s: %ld %s flags %#x name %u\n", what, n, n < 0 ? t_name(errno) : "", n < 0 ? 0 : m.msg_flags, n < 0 ? 0 : m.msg_namelen);
    if (n < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct sock_extended_err *e = (void *)CMSG_DATA(c);
        printf("  level %d type %d len %zu: errno %u origin %u type %u code %u info %u data %u\n", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, e->ee_errno, e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data);
    }
}
static void drain(int s) { while (recv(s, b, sizeof b, MSG_DONTWAIT) > 0) {} }
int main(void) {
    int s[2], one = 1, two = 2;
    n_pair(s);
    T(send(s[0], b, 100, MSG_ZEROCOPY)); n_await(s[1], POLLIN); drain(s[1]); told("without the option", s[0]); T(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &two, 4)); T(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &one, 4)); GET(s[0], SOL_SOCKET, SO_ZEROCOPY);
    T(send(s[0], b, 100, 0)); drain(s[1]); told("without the flag", s[0]);
    T(send(s[0], b, 10000, MSG_ZEROCOPY)); n_await(s[1], POLLIN); drain(s[1]); n_await(s[0], POLLERR); POLL(s[0]); told("one", s[0]); told("none", s[0]); POLL(s[0]);
    // Notes of sends that follow each other become one.
    for (int i = 0; i < 3; i++) T(send(s[0], b, 5000, MSG_ZEROCOPY));
    t_sleep_ms(20); drain(s[1]); t_sleep_ms(20); told("three", s[0]); told("none", s[0]); T(send(s[0], b, 0, MSG_ZEROCOPY)); t_sleep_ms(20); told("of nothing", s[0]);
    // An error queue is not an error of the connection.
    T(send(s[0], b, 100, MSG_ZEROCOPY)); t_sleep_ms(20); drain(s[1]); t_sleep_ms(20); GET(s[0], SOL_SOCKET, SO_ERROR); T(send(s[0], b, 1, 0)); told("later", s[0]); T(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &(int){0}, 4)); T(send(s[0], b, 100, MSG_ZEROCOPY)); t_sleep_ms(20); told("off again", s[0]);
    close(s[1]); close(s[0]);
    // Of datagrams.
    n_udp_pair(s); T(send(s[0], b, 100, MSG_ZEROCOPY)); drain(s[1]); told("UDP without", s[0]); T(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &one, 4)); T(send(s[0], b, 1000, MSG_ZEROCOPY)); T(send(s[0], b, 1000, MSG_ZEROCOPY)); drain(s[1]); t_sleep_ms(20); POLL(s[0]); told("UDP", s[0]); told("none", s[0]); T(send(s[0], b, 100000, MSG_ZEROCOPY)); told("too long", s[0]);
    // Others.
    int u[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, u); T(setsockopt(u[0], SOL_SOCKET, SO_ZEROCOPY, &one, 4)); T(send(u[0], b, 10, MSG_ZEROCOPY)); told("local", u[0]); int l = n_listener(1), c = socket(AF_INET, SOCK_STREAM, 0), raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); T(setsockopt(l, SOL_SOCKET, SO_ZEROCOPY, &one, 4)); T(setsockopt(raw, SOL_SOCKET, SO_ZEROCOPY, &one, 4)); n_connect4(c, "127.0.0.1", n_port(l)); int a = accept(l, NULL, NULL); GET(a, SOL_SOCKET, SO_ZEROCOPY); T(send(c, b, 10, MSG_ZEROCOPY)); T(send(a, b, 10, MSG_ZEROCOPY)); t_sleep_ms(20); drain(c); t_sleep_ms(20); told("accepted", a);
    return 0;
}
