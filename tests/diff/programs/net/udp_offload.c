// UDP_SEGMENT and UDP_GRO: limits, rows cut and put together, their control message, peeking, corks.
// diff: cpus=2
#include "net/n.h"
static char out[70000], in[70000];
static long with(int s, size_t len, const void *data, size_t size, int flags) {
    char control[64] = {0};
    struct iovec v = {out, len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_UDP, c->cmsg_type = UDP_SEGMENT, c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), data, size);
    return sendmsg(s, &m, flags);
}
static long cut(int s, size_t len, uint16_t segment) { return with(s, len, &segment, 2, 0); }
// All that waits, a line each.
static void take(int s, size_t room, int flags) {
    for (int n = 0; n < 9; n++) {
        char control[128];
        struct iovec v = {in, room};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        long got = recvmsg(s, &m, MSG_DONTWAIT | flags);
        if (got < 0) { printf("  end: %s\n", t_name(errno)); return; }
        size_t kept = (size_t)got < room ? (size_t)got : room;
        printf("  %ld bytes, flags %#x, %s", got, m.msg_flags, memcmp(in, out, kept < 8 ? kept : 8) ? "other" : "first");
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
            printf(", level %d type %d len %zu: %d", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, *(int *)CMSG_DATA(c));
        printf("\n");
        if (flags & MSG_PEEK) return;
    }
    printf("  and more\n");
}
int main(void) {
    int s[2], value, one = 1;
    n_udp_pair(s);
    for (size_t i = 0; i < sizeof out; i++) out[i] = i * 31 >> 4;
    SET(s[0], IPPROTO_UDP, UDP_SEGMENT, -1); SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 65536); SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 65535); GET(s[0], IPPROTO_UDP, UDP_SEGMENT); SETN(s[0], IPPROTO_UDP, UDP_SEGMENT, 5, 2); SETN(s[0], IPPROTO_UDP, UDP_SEGMENT, 5, 0); SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 0);
    GET(s[0], IPPROTO_UDP, UDP_GRO); SET(s[0], IPPROTO_UDP, UDP_GRO, 7); GET(s[0], IPPROTO_UDP, UDP_GRO); SET(s[0], IPPROTO_UDP, UDP_GRO, 0); GET(s[0], IPPROTO_UDP, UDP_GRO);
    // Without UDP_GRO the receiver sees what was cut.
    T(cut(s[0], 3000, 1000)); take(s[1], 5000, 0); T(cut(s[0], 3001, 1000)); take(s[1], 5000, 0); T(cut(s[0], 999, 1000)); take(s[1], 5000, 0); T(cut(s[0], 1000, 1000)); take(s[1], 5000, 0); T(cut(s[0], 0, 1000)); take(s[1], 5000, 0); T(cut(s[0], 100, 0)); take(s[1], 5000, 0);
    // Limits.
    T(cut(s[0], 128, 1)); while (recv(s[1], in, 1, MSG_DONTWAIT) > 0) {}
    T(cut(s[0], 129, 1)); T(cut(s[0], 65507, 512)); T(cut(s[0], 65507, 511)); T(cut(s[0], 65508, 1000)); T(cut(s[0], 65507, 65507)); T(cut(s[0], 65507, 65508)); while (recv(s[1], in, 1, MSG_DONTWAIT) > 0) {}
    value = 1000; T(with(s[0], 3000, &value, 4, 0)); T(with(s[0], 3000, &value, 1, 0)); T(with(s[0], 3000, &value, 0, 0));
    // The option, and the message over it.
    SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 700); T(send(s[0], out, 1500, 0)); take(s[1], 5000, 0); T(cut(s[0], 1500, 1000)); take(s[1], 5000, 0); T(cut(s[0], 1500, 0)); take(s[1], 5000, 0); T(send(s[0], out, 700 * 129, 0)); SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 0);
    // With UDP_GRO it sees the row, and is told where it was cut.
    setsockopt(s[1], IPPROTO_UDP, UDP_GRO, &one, 4);
    T(cut(s[0], 3000, 1000)); take(s[1], 5000, 0); T(cut(s[0], 3001, 1000)); take(s[1], 5000, 0); T(cut(s[0], 999, 1000)); take(s[1], 5000, 0); T(cut(s[0], 1001, 1000)); take(s[1], 5000, 0); T(send(s[0], out, 100, 0)); take(s[1], 5000, 0); T(cut(s[0], 60000, 1000)); take(s[1], 70000, 0);
    T(cut(s[0], 3000, 1000)); take(s[1], 5000, MSG_PEEK); take(s[1], 1500, MSG_TRUNC); T(cut(s[0], 3000, 1000)); int waiting; T(ioctl(s[1], FIONREAD, &waiting)); N(waiting); take(s[1], 10, 0); T(send(s[0], out, 100, 0)); T(send(s[0], out, 100, 0)); take(s[1], 5000, 0);
    // It is looked at when the row comes: one that came before is not cut again.
    T(cut(s[0], 3000, 1000)); SET(s[1], IPPROTO_UDP, UDP_GRO, 0); take(s[1], 5000, 0);
    // Corks.
    SET(s[0], IPPROTO_UDP, UDP_SEGMENT, 500); SET(s[0], IPPROTO_UDP, UDP_CORK, 1); T(send(s[0], out, 800, 0)); T(send(s[0], out, 700, 0)); SET(s[0], IPPROTO_UDP, UDP_CORK, 0); take(s[1], 5000, 0); T(send(s[0], out, 100, MSG_MORE)); T(send(s[0], out, 1000, 0)); take(s[1], 5000, 0);
    // IPv6.
    int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0); n_bind6(b, "::1", 0); n_connect6(a, "::1", n_port(b)); T(cut(a, 2500, 1000)); take(b, 5000, 0); SET(b, IPPROTO_UDP, UDP_GRO, 1); T(cut(a, 2500, 1000)); take(b, 5000, 0); SET(a, IPPROTO_UDP, UDP_SEGMENT, 1000); GET(a, IPPROTO_UDP, UDP_SEGMENT); T(send(a, out, 1800, 0)); take(b, 5000, 0);
    // What is no socket of UDP.
    int t = socket(AF_INET, SOCK_STREAM, 0); SET(t, IPPROTO_UDP, UDP_SEGMENT, 1000); GET(t, IPPROTO_UDP, UDP_GRO);
    // Who sends to nobody is told once.
    int gone = socket(AF_INET, SOCK_DGRAM, 0); n_bind4(gone, "127.0.0.1", 0); n_connect4(s[0], "127.0.0.1", n_port(gone)); close(gone); T(cut(s[0], 2000, 600)); T(cut(s[0], 2000, 600)); GET(s[0], SOL_SOCKET, SO_ERROR);
    return 0;
}
