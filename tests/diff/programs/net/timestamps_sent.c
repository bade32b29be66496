// SO_TIMESTAMPING of what UDP sends, by software: the error queue, moment by moment.
// diff: libc=glibc
#include "net/n.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif
static char b[4000];
static void show(const char *what, int s) {
    char control[512];
    struct iovec v = {b, sizeof b};
    struct sockaddr_storage name;
    struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = recvmsg(s, &m, MSG_ERRQUEUE);
    printf("%s: %ld %s", what, n, n < 0 ? t_name(errno) : "");
    if (n < 0) { printf("\n"); return; }
    printf(" name %u flags %#x ends %.3s\n", (unsigned)m.msg_namelen, m.msg_flags, n > 3 ? b + n - 3 : "-");
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        printf("  level %d type %d len %zu:", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        if (c->cmsg_level == SOL_SOCKET) {
            struct timespec *t = (void *)CMSG_DATA(c), now;
            clock_gettime(CLOCK_REALTIME, &now);
            for (int i = 0; i < 3; i++) printf(" %s", t[i].tv_sec == 0 ? "zero" : now.tv_sec - t[i].tv_sec < 60 ? "now" : "odd");
        } else {
            struct sock_extended_err *e = (void *)CMSG_DATA(c);
            printf(" errno %s origin %u type %u code %u info %u data %u", e->ee_errno == ENOMSG ? "ENOMSG" : "other", e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data);
        }
        printf("\n");
    }
}
static void set(int s, int value) { T(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &value, sizeof value)); t_sleep_ms(20); }
int main(void) {
    int s[2], error;
    socklen_t len = sizeof error;
    n_udp_pair(s);
    show("nothing", s[0]);
    set(s[0], SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    T(send(s[0], "abc", 3, 0)); n_await(s[0], POLLERR); show("left", s[0]); show("no more", s[0]);
    T(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &len)); printf("SO_ERROR %d\n", error);
    set(s[0], SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_ID);
    for (int i = 0; i < 2; i++) { T(send(s[0], "defg", 4, 0)); n_await(s[0], POLLERR); show("first", s[0]); show("second", s[0]); }
    set(s[0], SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_OPT_ID);
    T(send(s[0], "hij", 3, 0)); n_await(s[0], POLLERR); show("not reported", s[0]);
    set(s[0], 0); T(send(s[0], "k", 1, 0)); show("none", s[0]);
    return 0;
}
