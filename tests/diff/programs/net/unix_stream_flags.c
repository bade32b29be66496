// AF_UNIX streams: flags of send and recv, borders, ends, errors.
// diff: cpus=2
#include "net/n.h"
static char b[70000];
static void *later(void *fd) { t_sleep_ms(50); send(*(int *)fd, "defgh", 5, 0); return NULL; }
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int s[2];
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    T(send(s[0], "abc", 3, 0)); T(recv(s[1], b, 2, MSG_PEEK)); T(recv(s[1], b, 9, MSG_PEEK | MSG_TRUNC)); T(recv(s[1], b, 2, MSG_TRUNC)); T(recv(s[1], b, 9, MSG_DONTWAIT)); T(recv(s[1], b, 9, MSG_DONTWAIT)); T(recv(s[1], b, 0, MSG_DONTWAIT));
    T(send(s[0], "x", 0, 0)); T(recv(s[1], b, 9, MSG_DONTWAIT)); T(send(s[0], NULL, 0, 0)); T(send(s[0], BAD, 3, 0)); T(send(s[0], "abc", 3, MSG_MORE)); T(recv(s[1], BAD, 3, 0)); T(recv(s[1], b, 9, 0));
    T(send(s[0], "abc", 3, MSG_EOR)); struct iovec v = {b, 9}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; T(recvmsg(s[1], &m, 0)); N(m.msg_flags);
    T(send(s[0], "abc", 3, 0)); pthread_t t; pthread_create(&t, NULL, later, &s[0]); T(recv(s[1], b, 8, MSG_WAITALL)); pthread_join(t, NULL);
    T(send(s[0], "abc", 3, 0)); T(recv(s[1], b, 8, MSG_WAITALL | MSG_DONTWAIT)); T(send(s[0], "abc", 3, 0)); T(recv(s[1], b, 2, MSG_WAITALL | MSG_PEEK)); T(recv(s[1], b, 3, MSG_WAITALL));
    T(recv(s[1], b, 3, MSG_ERRQUEUE | MSG_DONTWAIT)); T(send(s[0], "abc", 3, MSG_CONFIRM)); T(recv(s[1], b, 3, 0)); T(send(s[0], "abc", 3, MSG_NOSIGNAL | MSG_DONTROUTE)); T(recv(s[1], b, 3, 0));
    T(send(s[0], "abc", 3, 0x40000)); T(recv(s[1], b, 3, MSG_DONTWAIT | 0x40000));
    // A full queue.
    int flags = 0; long sent = 0, one; fcntl(s[0], F_SETFL, O_NONBLOCK); while ((one = send(s[0], b, sizeof b, 0)) > 0) sent += one; printf("full: %s\n", t_name(errno)); C(sent >= 65536); POLL(s[0]); POLL(s[1]); fcntl(s[0], F_SETFL, 0);
    T(send(s[0], "x", 1, MSG_DONTWAIT)); long got = 0; while (got < sent && (one = recv(s[1], b, sizeof b, MSG_DONTWAIT)) > 0) got += one; C(got == sent); POLL(s[0]);
    (void)flags;
    // Ends.
    T(send(s[1], "back", 4, 0)); T(shutdown(s[0], SHUT_WR)); T(recv(s[1], b, 9, 0)); T(send(s[0], "x", 1, 0)); T(send(s[0], "", 0, 0)); POLL(s[0]); POLL(s[1]); T(recv(s[0], b, 9, 0)); T(shutdown(s[1], SHUT_RD)); T(shutdown(s[1], SHUT_WR)); POLL(s[0]); POLL(s[1]); T(recv(s[0], b, 9, 0)); T(shutdown(s[0], 3)); T(shutdown(s[0], -1));
    close(s[0]); close(s[1]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); T(shutdown(s[1], SHUT_RD)); T(send(s[0], "x", 1, 0)); POLL(s[0]); POLL(s[1]); T(recv(s[1], b, 1, 0)); T(send(s[1], "y", 1, 0)); T(recv(s[0], b, 1, 0)); close(s[0]); close(s[1]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); T(send(s[0], "abc", 3, 0)); T(shutdown(s[1], SHUT_RD)); T(recv(s[1], b, 9, 0)); T(recv(s[1], b, 9, 0)); close(s[1]); POLL(s[0]); GET(s[0], SOL_SOCKET, SO_ERROR); T(send(s[0], "x", 1, 0)); close(s[0]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); T(send(s[0], "abc", 3, 0)); close(s[1]); POLL(s[0]); T(recv(s[0], b, 9, 0)); T(recv(s[0], b, 9, 0)); T(send(s[0], "x", 1, 0)); close(s[0]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); T(send(s[0], "abc", 3, 0)); close(s[1]); T(send(s[0], "x", 1, 0)); GET(s[0], SOL_SOCKET, SO_ERROR); GET(s[0], SOL_SOCKET, SO_ERROR); T(recv(s[0], b, 9, 0)); close(s[0]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); T(send(s[0], "last", 4, 0)); close(s[0]); POLL(s[1]); T(recv(s[1], b, 9, 0)); T(recv(s[1], b, 9, 0)); T(send(s[1], "x", 1, 0)); SOCKNAME(s[1]); PEERNAME(s[1]); T(shutdown(s[1], SHUT_RDWR)); T(getpeername(s[1], (void *)b, &(socklen_t){9}));
    close(s[1]);
    // Not connected.
    int u = socket(AF_UNIX, SOCK_STREAM, 0); POLL(u); T(send(u, "x", 1, 0)); T(send(u, "", 0, 0)); T(recv(u, b, 1, 0)); T(recv(u, b, 0, 0)); T(shutdown(u, SHUT_RD)); T(shutdown(u, SHUT_RDWR)); POLL(u); T(send(u, "x", 1, 0)); T(read(u, b, 1)); T(write(u, b, 1)); T(write(u, b, 0)); T(read(u, b, 0)); close(u);
    u = socket(AF_UNIX, SOCK_SEQPACKET, 0); POLL(u); T(send(u, "x", 1, 0)); T(send(u, "", 0, 0)); T(recv(u, b, 1, 0)); T(recv(u, b, 0, 0)); T(shutdown(u, SHUT_RD)); T(recv(u, b, 1, 0)); close(u);
    u = socket(AF_UNIX, SOCK_DGRAM, 0); POLL(u); T(send(u, "x", 1, 0)); T(recv(u, b, 1, MSG_DONTWAIT)); T(shutdown(u, SHUT_RD)); POLL(u); T(recv(u, b, 1, 0)); T(recv(u, b, 1, MSG_DONTWAIT)); T(shutdown(u, SHUT_WR)); T(send(u, "x", 1, 0)); POLL(u); close(u);
    return 0;
}
