// IP_TOS and IPV6_TCLASS: kinds of sockets, what the receiver sees, on sockets in use and in messages.
// diff: cpus=2
#include "net/n.h"
static void show(const char *what, int s) {
    char b[16], control[256];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = recvmsg(s, &m, MSG_DONTWAIT);
    printf("%s: %ld", what, n);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) printf(", level %d type %d len %zu: %#x", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, c->cmsg_len == CMSG_LEN(1) ? *(unsigned char *)CMSG_DATA(c) : *(int *)CMSG_DATA(c));
    printf("\n");
}
int main(void) {
    int s[2], one = 1, values[] = {0, 1, 2, 3, 4, 0x10, 0xb8, 0xff, 0x100, 0x1b8, -1};
    n_udp_pair(s); setsockopt(s[1], IPPROTO_IP, IP_RECVTOS, &one, 4);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        N(values[i]);
        SET(s[0], IPPROTO_IP, IP_TOS, values[i]); GET(s[0], IPPROTO_IP, IP_TOS); GET(s[0], SOL_SOCKET, SO_PRIORITY); GETN(s[0], IPPROTO_IP, IP_TOS, 1); T(send(s[0], "x", 1, 0)); show("seen", s[1]);
    }
    SETN(s[0], IPPROTO_IP, IP_TOS, 0x20, 1); GET(s[0], IPPROTO_IP, IP_TOS); SETN(s[0], IPPROTO_IP, IP_TOS, 0x20, 0); GET(s[0], IPPROTO_IP, IP_TOS);
    // Of a stream two bits are the protocol's own.
    int t[2]; n_pair(t); for (size_t i = 0; i < sizeof values / sizeof *values; i++) { SET(t[0], IPPROTO_IP, IP_TOS, values[i]); GET(t[0], IPPROTO_IP, IP_TOS); GET(t[0], SOL_SOCKET, SO_PRIORITY); } GET(t[1], IPPROTO_IP, IP_TOS); SET(t[1], IPPROTO_IPV6, IPV6_TCLASS, 4); T(send(t[0], "x", 1, 0)); n_await(t[1], POLLIN); show("stream", t[1]);
    // What a listener has, those have that it accepts.
    int l = n_listener(1); SET(l, IPPROTO_IP, IP_TOS, 0x18); int c = socket(AF_INET, SOCK_STREAM, 0); n_connect4(c, "127.0.0.1", n_port(l)); int a = accept(l, NULL, NULL); GET(a, IPPROTO_IP, IP_TOS); GET(c, IPPROTO_IP, IP_TOS); GET(a, SOL_SOCKET, SO_PRIORITY);
    int u = socket(AF_INET6, SOCK_DGRAM, 0), r = socket(AF_INET6, SOCK_DGRAM, 0); n_bind6(r, "::1", 0); n_connect6(u, "::1", n_port(r)); SET(r, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) { SET(u, IPPROTO_IPV6, IPV6_TCLASS, values[i]); GET(u, IPPROTO_IPV6, IPV6_TCLASS); T(send(u, "x", 1, 0)); show("seen", r); }
    SETN(u, IPPROTO_IPV6, IPV6_TCLASS, 4, 1); SETN(u, IPPROTO_IPV6, IPV6_TCLASS, 4, 0); SET(u, IPPROTO_IP, IP_TOS, 0x40); GET(u, IPPROTO_IP, IP_TOS); GET(u, IPPROTO_IPV6, IPV6_TCLASS);
    int x = socket(AF_UNIX, SOCK_STREAM, 0), raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); SET(x, IPPROTO_IP, IP_TOS, 4); SET(raw, IPPROTO_IP, IP_TOS, 0x13); GET(raw, IPPROTO_IP, IP_TOS);
    return 0;
}
