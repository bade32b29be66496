// AF_UNIX datagrams: order of checks, sizes, peers, full queues, names of senders, closing.
// diff: cpus=2
#include "net/n.h"
#include <stddef.h>
#define HEAD offsetof(struct sockaddr_un, sun_path)
static char b[300000];
static void message(int s, size_t len, int flags) {
    struct iovec v = {b, len};
    char control[64];
    struct sockaddr_un from;
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(s, &m, flags | MSG_DONTWAIT);
    printf("recvmsg %zu %#x: %zd %s, flags %#x, name %u", len, flags, n, n < 0 ? t_name(errno) : "", n < 0 ? 0 : m.msg_flags, n < 0 ? 0 : m.msg_namelen);
    printf(n >= 0 && m.msg_namelen > HEAD ? " [%.*s]\n" : "\n", (int)(m.msg_namelen - HEAD - 1), from.sun_path + 1);
}
static socklen_t name(struct sockaddr_un *a, const char *text) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(a->sun_path + 1, text);
    return HEAD + 1 + strlen(text);
}
int main(void) {
    t_scratch();
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_un one, two, none;
    socklen_t l1 = name(&one, "rkt-one"), l2 = name(&two, "rkt-two"), l0 = name(&none, "rkt-none");
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
    // What is wrong first?
    T(sendto(s, BAD, 1, 0, (void *)&none, l0)); T(sendto(s, "x", 1, 0, (void *)&none, l0)); T(sendto(s, b, 300000, 0, (void *)&none, l0)); T(sendto(s, "x", 1, MSG_OOB, (void *)&none, l0)); T(sendto(s, BAD, 1, MSG_OOB, NULL, 0));
    T(sendto(s, "x", 1, 0, (void *)&none, 1)); T(sendto(s, "x", 1, 0, (void *)&none, sizeof none + 1)); T(sendto(s, "x", 1, 0, (void *)&none, HEAD)); T(sendto(s, "x", 1, 0, (void *)&none, -1)); T(sendto(s, "x", 1, 0, BAD, l0)); T(sendto(s, BAD, 1, 0, NULL, 0)); T(send(s, "x", 1, 0)); T(send(s, b, 300000, 0));
    struct sockaddr_un odd = {AF_INET, "odd"}; T(sendto(s, "x", 1, 0, (void *)&odd, sizeof odd)); odd.sun_family = AF_UNSPEC; T(sendto(s, "x", 1, 0, (void *)&odd, sizeof odd)); T(connect(s, (void *)&odd, sizeof odd));
    T(bind(t, (void *)&one, l1)); T(bind(u, (void *)&two, l2));
    T(sendto(s, "unnamed", 7, 0, (void *)&one, l1)); message(t, 9, 0); T(sendto(u, "named", 5, 0, (void *)&one, l1)); message(t, 3, 0); T(sendto(u, "named", 5, 0, (void *)&one, l1)); message(t, 3, MSG_TRUNC); T(sendto(u, "", 0, 0, (void *)&one, l1)); message(t, 3, 0); message(t, 3, 0);
    T(sendto(u, "peek", 4, 0, (void *)&one, l1)); message(t, 9, MSG_PEEK); message(t, 2, MSG_PEEK | MSG_TRUNC); message(t, 9, MSG_WAITALL); message(t, 9, MSG_OOB); message(t, 9, MSG_ERRQUEUE);
    socklen_t len = 4; struct sockaddr_un from; T(sendto(u, "short name", 10, 0, (void *)&one, l1)); T(recvfrom(t, b, 3, 0, (void *)&from, &len)); N(len); T(sendto(u, "x", 1, 0, (void *)&one, l1)); len = -1; T(recvfrom(t, b, 3, MSG_DONTWAIT, (void *)&from, &len)); T(sendto(u, "x", 1, 0, (void *)&one, l1)); T(recvfrom(t, b, 3, MSG_DONTWAIT, BAD, &len)); T(recv(t, BAD, 3, MSG_DONTWAIT));
    while (recv(t, b, 9, MSG_DONTWAIT) >= 0) {}
    // Named after it was sent.
    int late = socket(AF_UNIX, SOCK_DGRAM, 0); struct sockaddr_un three; socklen_t l3 = name(&three, "rkt-late"); T(sendto(late, "x", 1, 0, (void *)&one, l1)); T(bind(late, (void *)&three, l3)); message(t, 9, 0);
    // Peers.
    T(connect(s, (void *)&one, l1)); T(send(s, "to one", 6, 0)); message(t, 9, 0); T(sendto(s, "to two", 6, 0, (void *)&two, l2)); message(u, 9, 0); T(connect(s, (void *)&two, l2)); T(send(s, "now two", 7, 0)); message(u, 9, 0);
    T(connect(t, (void *)&two, l2)); T(sendto(s, "stranger", 8, 0, (void *)&one, l1)); T(connect(s, (void *)&one, l1)); T(connect(u, (void *)&one, l1)); T(send(u, "friend", 6, 0)); message(t, 9, 0); T(connect(t, (void *)&odd, sizeof odd)); T(getpeername(t, (void *)&from, &len)); T(sendto(s, "again", 5, 0, (void *)&one, l1)); message(t, 9, 0);
    // A queue that is full.
    int n = 0; while (sendto(s, "fill", 4, MSG_DONTWAIT, (void *)&one, l1) == 4) n++; N(n); printf("%s\n", t_name(errno)); T(connect(s, (void *)&one, l1)); POLL(s); POLL(t); message(t, 9, 0); POLL(s); T(send(s, "one more", 8, MSG_DONTWAIT)); POLL(s);
    int value = -1; T(ioctl(t, FIONREAD, &value)); N(value); while (recv(t, b, 9, MSG_DONTWAIT) >= 0) {} T(ioctl(t, FIONREAD, &value)); N(value); POLL(s);
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &(int){4608}, 4); T(send(s, b, 4096, MSG_DONTWAIT)); T(recv(t, b, 10000, MSG_DONTWAIT)); T(send(s, b, 9185, MSG_DONTWAIT)); T(recv(t, b, 10000, MSG_DONTWAIT));
    // Shut down and closed.
    T(shutdown(t, SHUT_RD)); T(send(s, "x", 1, 0)); POLL(s); POLL(t); T(recv(t, b, 1, 0)); T(recv(t, b, 1, MSG_DONTWAIT)); T(shutdown(s, SHUT_WR)); T(send(s, "x", 1, 0)); T(send(s, BAD, 1, 0)); T(send(s, b, 300000, 0)); POLL(s);
    close(t); T(send(u, "x", 1, 0)); T(send(u, "x", 1, 0)); T(sendto(u, "x", 1, 0, (void *)&one, l1)); POLL(u); T(getpeername(u, (void *)&from, &len));
    int p[2]; T(socketpair(AF_UNIX, SOCK_DGRAM, 0, p)); T(send(p[0], "left", 4, 0)); close(p[0]); T(recv(p[1], b, 9, 0)); POLL(p[1]); T(recv(p[1], b, 9, MSG_DONTWAIT)); T(send(p[1], "x", 1, 0)); T(send(p[1], "x", 1, 0)); POLL(p[1]); close(p[1]);
    T(socketpair(AF_UNIX, SOCK_DGRAM, 0, p)); T(send(p[1], "unread", 6, 0)); close(p[0]); GET(p[1], SOL_SOCKET, SO_ERROR); POLL(p[1]); T(recv(p[1], b, 9, MSG_DONTWAIT));
    return 0;
}
