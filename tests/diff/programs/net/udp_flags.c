// Datagrams: truncation, empty ones, MSG_PEEK, MSG_TRUNC, too long, no destination, connect(2) again and dissolving, errors told.
// diff: cpus=2
#include "net/n.h"
static char b[70000];
static ssize_t get(int s, size_t len, int flags) { memset(b, 0, 100); return recv(s, b, len, flags); }
static void message(int s, size_t len, int flags) {
    struct iovec v = {b, len};
    char control[256];
    struct sockaddr_in from;
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(s, &m, flags);
    printf("recvmsg %zu %#x: %zd %s, flags %#x, name %u, control %zu\n", len, flags, n, n < 0 ? t_name(errno) : "", m.msg_flags, m.msg_namelen, (size_t)m.msg_controllen);
}
int main(void) {
    int e[2];
    n_udp_pair(e);
    T(get(e[1], 1, MSG_DONTWAIT)); T(send(e[0], "hello", 5, 0)); T(send(e[0], "", 0, 0)); T(send(e[0], "third", 5, 0));
    POLL(e[1]); int n = -1; T(ioctl(e[1], FIONREAD, &n)); N(n);
    T(get(e[1], 2, MSG_PEEK)); S(b); T(get(e[1], 2, MSG_PEEK | MSG_TRUNC)); message(e[1], 2, MSG_PEEK); T(get(e[1], 2, MSG_TRUNC)); S(b);
    T(ioctl(e[1], FIONREAD, &n)); N(n); T(get(e[1], 9, 0)); T(get(e[1], 0, MSG_TRUNC)); T(get(e[1], 9, MSG_DONTWAIT));
    T(send(e[0], "x", 1, 0)); T(get(e[1], 9, MSG_WAITALL)); T(send(e[0], "xyz", 3, 0)); message(e[1], 1, 0); T(send(e[0], "xyz", 3, 0)); message(e[1], 1, MSG_TRUNC); message(e[1], 1, MSG_DONTWAIT); message(e[1], 1, MSG_ERRQUEUE); message(e[1], 1, MSG_OOB | MSG_DONTWAIT);
    T(send(e[0], b, 65507, 0)); T(get(e[1], 70000, 0)); T(send(e[0], b, 65508, 0)); T(send(e[0], b, 70000, 0)); T(send(e[0], "x", 1, MSG_OOB)); T(send(e[0], BAD, 3, 0)); T(send(e[0], BAD, 0, 0)); T(get(e[1], 9, MSG_DONTWAIT));
    T(send(e[1], "nowhere", 7, 0)); struct sockaddr_in to = n_v4("127.0.0.1", n_port(e[1]));
    T(sendto(e[0], "self", 4, 0, (void *)&to, sizeof to)); T(get(e[1], 9, 0)); S(b); T(sendto(e[0], "x", 1, 0, (void *)&to, 15)); T(sendto(e[0], "x", 1, 0, (void *)&to, 0)); T(sendto(e[0], "x", 1, 0, (void *)&to, -1)); T(sendto(e[0], "x", 1, 0, BAD, 16)); T(get(e[1], 9, MSG_DONTWAIT));
    to.sin_port = 0; T(sendto(e[0], "x", 1, 0, (void *)&to, sizeof to)); to = n_v4("255.255.255.255", 9); T(sendto(e[0], "x", 1, 0, (void *)&to, sizeof to)); T(n_connect4(e[1], "255.255.255.255", 9)); to.sin_family = AF_INET6; T(sendto(e[0], "x", 1, 0, (void *)&to, sizeof to)); to.sin_family = AF_UNSPEC; T(sendto(e[1], "x", 1, 0, (void *)&to, sizeof to));
    // Datagrams of strangers are not for a connected socket.
    int s = socket(AF_INET, SOCK_DGRAM, 0); to = n_v4("127.0.0.1", n_port(e[0])); T(sendto(s, "stranger", 8, 0, (void *)&to, sizeof to)); T(get(e[0], 9, MSG_DONTWAIT)); SOCKNAME(s); PEERNAME(s);
    struct sockaddr none = {.sa_family = AF_UNSPEC}; T(connect(e[0], &none, sizeof none)); PEERNAME(e[0]); SOCKNAME(e[0]); T(connect(e[0], &none, 1)); T(connect(e[0], &none, sizeof none)); T(sendto(s, "now", 3, 0, (void *)&to, sizeof to)); n_await(e[0], POLLIN); T(get(e[0], 9, MSG_DONTWAIT)); S(b);
    // What was queued before connecting stays.
    T(sendto(s, "before", 6, 0, (void *)&to, sizeof to)); T(n_connect4(e[0], "127.0.0.1", n_port(e[1]))); T(get(e[0], 9, MSG_DONTWAIT)); S(b);
    // Nobody there.
    int d = socket(AF_INET, SOCK_DGRAM, 0); T(n_bind4(d, "127.0.0.1", 0)); int gone = n_port(d); close(d); d = socket(AF_INET, SOCK_DGRAM, 0); T(n_connect4(d, "127.0.0.1", gone)); SOCKNAME(d); PEERNAME(d);
    T(send(d, "a", 1, 0)); n_await(d, POLLERR); POLL(d); T(send(d, "b", 1, 0)); T(send(d, "c", 1, 0)); n_await(d, POLLERR); T(get(d, 1, MSG_DONTWAIT)); T(get(d, 1, MSG_DONTWAIT)); T(send(d, "d", 1, 0)); n_await(d, POLLERR); GET(d, SOL_SOCKET, SO_ERROR); GET(d, SOL_SOCKET, SO_ERROR); POLL(d);
    to = n_v4("127.0.0.1", gone); T(sendto(s, "x", 1, 0, (void *)&to, sizeof to)); GET(s, SOL_SOCKET, SO_ERROR); POLL(s); T(connect(d, &none, sizeof none)); SOCKNAME(d);
    T(shutdown(s, SHUT_RD)); T(shutdown(e[0], SHUT_RD)); POLL(e[0]); T(get(e[0], 1, 0)); T(get(e[0], 1, MSG_DONTWAIT)); T(send(e[1], "x", 1, 0)); T(shutdown(e[0], SHUT_WR)); POLL(e[0]); signal(SIGPIPE, SIG_IGN); T(send(e[0], "x", 1, 0)); T(shutdown(e[0], 5));
    T(n_connect4(s, "127.0.0.1", 0)); PEERNAME(s); T(send(s, "x", 1, 0));
    return 0;
}
