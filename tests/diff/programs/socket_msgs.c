// sendmsg, recvmsg, sendmmsg, recvmmsg, MSG_WAITALL, sockets as files.
#include "t.h"
#include <sys/socket.h>

static int s[2];
static void *slow(void *unused) {
    for (int i = 0; i < 4; i++) { t_sleep_ms(10); write(s[0], "ab", 2); }
    return unused;
}

int main(void) {
    char a[4] = "", b[16] = "";
    struct iovec v[2] = {{a, 3}, {b, 10}}, o[3] = {{"one", 3}, {"", 0}, {"second", 6}};
    struct msghdr in = {.msg_iov = v, .msg_iovlen = 2}, out = {.msg_iov = o, .msg_iovlen = 3};
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    T(sendmsg(s[0], &out, 0));
    T(recvmsg(s[1], &in, 0)); S(a); S(b); N(in.msg_flags); N(in.msg_controllen);
    out.msg_iovlen = 2000;
    T(sendmsg(s[0], &out, 0));
    out.msg_iovlen = 0;
    T(sendmsg(s[0], &out, 0));
    T(sendmsg(s[0], &(struct msghdr){.msg_iov = BAD, .msg_iovlen = 1}, 0));
    T(recvmsg(1, &in, 0));
    T(recvmsg(-1, &in, 0));
    pthread_t t;
    pthread_create(&t, NULL, slow, NULL);
    T(recv(s[1], b, 8, MSG_WAITALL));
    pthread_join(t, NULL);
    T(lseek(s[0], 0, SEEK_SET));
    T(pread(s[0], b, 1, 0));
    T(ftruncate(s[0], 0));
    struct stat st;
    T(fstat(s[0], &st));
    C(S_ISSOCK(st.st_mode)); N(st.st_size);
    T(writev(s[0], o, 3));
    T(readv(s[1], v, 2));
    int d[2];
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, d);
    out.msg_iovlen = 1;
    struct mmsghdr many[3] = {{out, 0}, {{.msg_iov = o + 2, .msg_iovlen = 1}, 0}, {out, 0}};
    T(sendmmsg(d[0], many, 3, 0));
    N(many[1].msg_len);
    char x[8], y[8];
    struct iovec vx = {x, 8}, vy = {y, 8};
    struct mmsghdr back[2] = {{{.msg_iov = &vx, .msg_iovlen = 1}, 0}, {{.msg_iov = &vy, .msg_iovlen = 1}, 0}};
    T(recvmmsg(d[1], back, 2, 0, NULL));
    N(back[0].msg_len); N(back[1].msg_len);
    T(recvmmsg(d[1], back, 2, 0, NULL));
    T(recvmmsg(d[1], back, 2, 0, NULL));
    T(recv(d[1], BAD, 1, MSG_DONTWAIT));
    send(d[0], "data", 4, 0);
    T(recv(d[1], BAD, 4, MSG_DONTWAIT));
    T(send(d[0], BAD, 4, 0));
    return 0;
}
