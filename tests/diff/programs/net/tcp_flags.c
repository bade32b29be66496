// send(2) and recv(2) with flags on TCP: MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_OOB.
// diff: cpus=2
#include "net/n.h"
static char b[4096];
static ssize_t get(int s, size_t len, int flags) {
    memset(b, 0, sizeof b);
    return recv(s, b, len, flags);
}
int main(void) {
    int e[2];
    n_pair(e);
    T(get(e[1], 4, MSG_DONTWAIT)); T(get(e[1], 0, MSG_DONTWAIT));
    T(send(e[0], "hello", 5, 0)); n_await(e[1], POLLIN);
    T(get(e[1], 3, MSG_PEEK)); S(b); T(get(e[1], 9, MSG_PEEK)); S(b); T(get(e[1], 2, 0)); S(b); T(get(e[1], 9, MSG_PEEK)); S(b);
    T(get(e[1], 9, MSG_DONTWAIT)); S(b);
    T(send(e[0], "", 0, 0)); T(get(e[1], 4, MSG_DONTWAIT));
    T(send(e[0], "abc", 3, MSG_MORE)); T(send(e[0], "def", 3, 0)); T(get(e[1], 6, MSG_WAITALL)); S(b);
    T(send(e[0], "xyz", 3, 0)); T(get(e[1], 6, MSG_WAITALL | MSG_DONTWAIT)); S(b);
    T(send(e[0], "xyz", 3, 0)); T(get(e[1], 3, MSG_WAITALL | MSG_PEEK)); S(b); T(get(e[1], 3, 0));
    T(recv(e[1], b, 4, MSG_ERRQUEUE)); T(recv(e[1], b, 4, MSG_OOB)); T(recv(e[1], b, 4, 0x40000000 | MSG_DONTWAIT));
    T(send(e[0], "data", 4, MSG_EOR)); T(get(e[1], 4, 0)); T(send(e[0], "data", 4, MSG_DONTROUTE | MSG_CONFIRM)); T(get(e[1], 4, 0));
    T(sendto(e[0], "to", 2, 0, (void *)&(struct sockaddr_in){.sin_family = AF_INET, .sin_port = 9}, 16)); T(get(e[1], 2, 0)); S(b);
    T(sendto(e[0], "to", 2, 0, BAD, 16)); T(sendto(e[0], "to", 2, 0, (void *)b, 129)); T(sendto(e[0], "to", 2, 0, (void *)b, 1)); T(get(e[1], 2, MSG_DONTWAIT));
    struct sockaddr_in from = {0};
    socklen_t len = sizeof from;
    T(send(e[0], "q", 1, 0)); T(recvfrom(e[1], b, 1, 0, (void *)&from, &len)); N(len); N(from.sin_family);
    T(send(e[0], BAD, 4, 0)); T(send(e[0], BAD, 0, 0)); T(recv(e[1], BAD, 4, MSG_DONTWAIT)); T(send(e[0], "k", 1, 0)); n_await(e[1], POLLIN);
    T(recv(e[1], BAD, 4, 0)); T(get(e[1], 4, MSG_DONTWAIT)); S(b);
    int u = -1, w = -1;
    T(ioctl(e[1], FIONREAD, &u)); N(u); T(ioctl(e[0], TIOCOUTQ, &w));
    T(send(e[0], "12345", 5, 0)); n_await(e[1], POLLIN); T(ioctl(e[1], FIONREAD, &u)); N(u); T(ioctl(e[1], FIONREAD, BAD));
    T(ioctl(e[1], 0x9999, &u)); T(get(e[1], 9, 0));
    // What comes behind the end.
    T(shutdown(e[0], SHUT_WR)); n_await(e[1], POLLIN); T(get(e[1], 4, 0)); T(get(e[1], 4, MSG_DONTWAIT)); T(get(e[1], 4, MSG_PEEK)); T(get(e[1], 4, MSG_WAITALL));
    T(send(e[0], "x", 1, MSG_NOSIGNAL)); T(send(e[0], "", 0, MSG_NOSIGNAL)); T(send(e[1], "still", 5, 0)); T(get(e[0], 9, 0)); S(b);
    signal(SIGPIPE, SIG_IGN);
    T(send(e[0], "x", 1, 0)); T(write(e[0], "x", 1));
    // Not connected.
    int s = socket(AF_INET, SOCK_STREAM, 0), l = n_listener(1);
    T(send(s, "x", 1, MSG_NOSIGNAL)); T(recv(s, b, 1, 0)); T(recv(s, b, 0, 0)); T(recv(s, b, 1, MSG_OOB)); T(recv(s, b, 1, MSG_DONTWAIT));
    T(send(l, "x", 1, MSG_NOSIGNAL)); T(recv(l, b, 1, 0)); T(read(l, b, 1)); T(ioctl(l, FIONREAD, &u)); T(ioctl(s, FIONREAD, &u)); N(u); T(ioctl(l, TIOCOUTQ, &u)); T(ioctl(s, TIOCOUTQ, &u));
    T(ioctl(s, SIOCATMARK, &u)); N(u);
    return 0;
}
