// SO_RCVTIMEO and SO_SNDTIMEO: calls that end by them, by signals, and by both.
#include "net/n.h"
static char b[100000];
static int caught;
static void on_alarm(int s) { caught++; }
static void alarm_in(int ms) { setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, ms * 1000}}, NULL); }
static void *later(void *fd) { t_sleep_ms(100); send(*(int *)fd, "late", 4, 0); return NULL; }
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    struct timeval short_ = {0, 40000}, none = {0, 0}, long_ = {30, 0};
    int tcp[2], udp[2], unix_[2], *pairs[] = {tcp, udp, unix_};
    n_pair(tcp); n_udp_pair(udp); socketpair(AF_UNIX, SOCK_STREAM, 0, unix_);
    for (int i = 0; i < 3; i++) {
        int s = pairs[i][1], o = pairs[i][0]; struct pollfd p = {s, POLLIN}; pthread_t t;
        N(i);
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &short_, sizeof short_); T(recv(s, b, 4, 0)); T(recv(s, b, 4, MSG_WAITALL)); T(read(s, b, 4)); T(recv(s, b, 4, MSG_DONTWAIT)); struct iovec v = {b, 4}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; T(recvmsg(s, &m, 0)); T(readv(s, &v, 1)); T(poll(&p, 1, 10));
        if (i != 1) { send(o, "ab", 2, 0); T(recv(s, b, 4, MSG_WAITALL)); }
        t_handle(SIGALRM, on_alarm, SA_RESTART); setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &long_, sizeof long_); alarm_in(30); T(recv(s, b, 4, 0)); N(caught); setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none); alarm_in(30); pthread_create(&t, NULL, later, &o); T(recv(s, b, 4, 0)); pthread_join(t, NULL); N(caught);
        t_handle(SIGALRM, on_alarm, 0); alarm_in(30); T(recv(s, b, 4, 0)); N(caught); caught = 0;
    }
    int l = n_listener(1); setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &short_, sizeof short_); T(accept(l, NULL, NULL)); t_handle(SIGALRM, on_alarm, SA_RESTART); setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &long_, sizeof long_); alarm_in(30); T(accept(l, NULL, NULL)); t_handle(SIGALRM, on_alarm, 0); setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none); alarm_in(30); T(accept(l, NULL, NULL));
    // Sends that find no room.
    for (int i = 0; i < 3; i += 2) {
        int s = pairs[i][0]; long n, sum = 0; N(i);
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &short_, sizeof short_); while ((n = send(s, b, sizeof b, 0)) > 0) sum += n; printf("%s\n", t_name(errno)); C(sum > 0); T(send(s, b, 1, 0)); T(send(s, b, 1, MSG_DONTWAIT)); T(write(s, b, 1));
    }
    setsockopt(unix_[0], SOL_SOCKET, SO_SNDTIMEO, &long_, sizeof long_); t_handle(SIGALRM, on_alarm, SA_RESTART); alarm_in(30); T(send(unix_[0], b, 1, 0));
    return 0;
}
