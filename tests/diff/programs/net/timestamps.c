// SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING of what comes, by software: values, and which control messages come.
// diff: cpus=2; libc=glibc
#include "net/n.h"
#include <linux/net_tstamp.h>
#ifndef SO_TIMESTAMPNS
#define SO_TIMESTAMPNS 35
#define SO_TIMESTAMPING 37
#endif
static char b[4000];
static void show(const char *what, int s, int flags) {
    char control[512];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = recvmsg(s, &m, flags | MSG_DONTWAIT);
    printf("%s: %ld %s flags %#x\n", what, n, n < 0 ? t_name(errno) : "", n < 0 ? 0 : m.msg_flags);
    if (n < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        printf("  level %d type %d len %zu:", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        struct timespec *t = (void *)CMSG_DATA(c), now;
        clock_gettime(CLOCK_REALTIME, &now);
        for (size_t i = 0; i < (c->cmsg_len - sizeof *c) / sizeof *t; i++) printf(" %s", t[i].tv_sec == 0 ? "zero" : now.tv_sec - t[i].tv_sec < 60 && now.tv_sec >= t[i].tv_sec && t[i].tv_nsec < 1000000000 ? "now" : "odd");
        printf("\n");
    }
}
// Linux begins to stamp a moment after it is asked to.
static void set(int s, int name, int value) { T(setsockopt(s, SOL_SOCKET, name, &value, sizeof value)); t_sleep_ms(20); }
#define RX (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
int main(void) {
    int s[2];
    for (int tcp = 0; tcp < 2; tcp++) {
        N(tcp);
        if (tcp) n_pair(s); else n_udp_pair(s);
        int values[] = {SOF_TIMESTAMPING_RX_SOFTWARE, 0, -1, 1 << 30, 1 << 18, SOF_TIMESTAMPING_OPT_ID, SOF_TIMESTAMPING_OPT_STATS, SOF_TIMESTAMPING_OPT_STATS | SOF_TIMESTAMPING_OPT_TSONLY, 1 << 16, 0};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) { SET(s[0], SOL_SOCKET, SO_TIMESTAMPING, values[i]); GETN(s[0], SOL_SOCKET, SO_TIMESTAMPING, 8); }
        SETN(s[0], SOL_SOCKET, SO_TIMESTAMPING, 1, 8);
        // The later of two counts, and one switches the other off.
        set(s[1], SO_TIMESTAMP, 1); GET(s[1], SOL_SOCKET, SO_TIMESTAMPNS); set(s[1], SO_TIMESTAMPNS, 1); GET(s[1], SOL_SOCKET, SO_TIMESTAMP); GET(s[1], SOL_SOCKET, SO_TIMESTAMPNS); set(s[1], SO_TIMESTAMP, 0); GET(s[1], SOL_SOCKET, SO_TIMESTAMPNS);
#define SEND(what, flags) T(send(s[0], "abc", 3, 0)); n_await(s[1], POLLIN); show(what, s[1], flags)
        SEND("none", 0); set(s[1], SO_TIMESTAMP, 1); SEND("micro", MSG_PEEK); show("micro", s[1], 0); set(s[1], SO_TIMESTAMPNS, 1); SEND("nano", 0);
        if (!tcp) { set(s[1], SO_TIMESTAMPING, RX); SEND("both", 0); set(s[1], SO_TIMESTAMPNS, 0); SEND("all", 0); set(s[1], SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE); SEND("not told", 0); }
        close(s[0]); close(s[1]);
    }
    int u[2]; socketpair(AF_UNIX, SOCK_DGRAM, 0, u); set(u[1], SO_TIMESTAMP, 1); T(send(u[0], "x", 1, 0)); show("local", u[1], 0);
    return 0;
}
