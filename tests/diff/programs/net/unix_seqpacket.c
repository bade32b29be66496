// AF_UNIX sequenced packets: borders, ends, errors, listening, names that are passed over.
// diff: cpus=2
#include "net/n.h"
static char b[300000];
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_un a = {AF_UNIX, "\0rkt-seq"};
    int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    T(listen(l, 1)); T(bind(l, (void *)&a, 10)); T(connect(c, (void *)&a, 10)); T(listen(l, 0)); T(bind(d, (void *)&a, 10)); T(connect(c, (void *)&a, 10)); POLL(l); int s = accept(l, NULL, NULL); C(s >= 0);
    T(send(c, "one", 3, 0)); T(send(c, "two", 3, MSG_EOR)); T(send(c, "", 0, 0)); T(send(c, "three", 5, 0)); POLL(s);
    struct iovec v = {b, 9}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    T(recvmsg(s, &m, 0)); N(m.msg_flags); T(recvmsg(s, &m, 0)); N(m.msg_flags); T(recv(s, b, 9, 0)); v.iov_len = 2; T(recvmsg(s, &m, MSG_PEEK)); N(m.msg_flags); T(recvmsg(s, &m, MSG_TRUNC)); N(m.msg_flags); T(recv(s, b, 9, MSG_DONTWAIT));
    T(sendto(c, "named", 5, 0, (void *)&a, 10)); T(recv(s, b, 9, MSG_DONTWAIT)); T(sendto(c, "x", 1, 0, BAD, 10)); T(sendto(c, "x", 1, 0, (void *)&a, 1)); T(send(c, "x", 1, MSG_OOB)); T(recv(s, b, 9, MSG_OOB | MSG_DONTWAIT)); T(send(c, b, 300000, 0)); T(send(c, BAD, 3, 0)); T(recv(s, b, 9, MSG_DONTWAIT));
    T(read(s, b, 0)); T(recv(s, b, 0, MSG_DONTWAIT)); T(send(c, "abc", 3, 0)); T(recv(s, b, 0, MSG_DONTWAIT)); T(recv(s, b, 9, MSG_DONTWAIT));
    T(connect(c, (void *)&a, 10)); T(listen(c, 1)); T(accept(c, NULL, NULL)); T(connect(d, (void *)&a, 10));
    T(send(c, "before the end", 14, 0)); T(shutdown(c, SHUT_WR)); T(send(c, "x", 1, 0)); POLL(s); POLL(c); T(recv(s, b, 99, 0)); T(recv(s, b, 99, 0)); T(recv(s, b, 99, MSG_DONTWAIT)); T(send(s, "back", 4, 0)); T(recv(c, b, 99, 0)); T(shutdown(s, SHUT_RD)); T(shutdown(c, 9)); POLL(c);
    T(send(c, "x", 1, 0)); close(s); POLL(c); T(recv(c, b, 9, 0)); T(send(c, "x", 1, 0)); GET(c, SOL_SOCKET, SO_ERROR); close(c);
    int p[2]; T(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p)); T(send(p[0], "unread", 6, 0)); close(p[1]); POLL(p[0]); T(send(p[0], "x", 1, 0)); T(send(p[0], "x", 1, 0)); T(recv(p[0], b, 9, 0)); close(p[0]);
    T(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p)); T(send(p[0], "unread", 6, 0)); close(p[1]); T(recv(p[0], b, 9, 0)); T(recv(p[0], b, 9, 0)); close(p[0]);
    // A backlog, and its end.
    int x = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), y = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), z = socket(AF_UNIX, SOCK_SEQPACKET, 0); T(connect(x, (void *)&a, 10)); T(connect(y, (void *)&a, 10)); POLL(y); T(send(x, "early", 5, 0)); T(close(l)); POLL(x); T(recv(x, b, 9, 0)); T(send(x, "x", 1, 0)); T(connect(z, (void *)&a, 10));
    return 0;
}
