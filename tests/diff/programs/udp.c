// UDP over loopback: borders, truncation, connected sockets, refused ports, peeking.
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void arrival(int fd) { poll(&(struct pollfd){fd, POLLIN | POLLERR, 0}, 1, 2000); }

int main(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from, none = {.sin_family = AF_UNSPEC};
    socklen_t len = sizeof a;
    int r = T(socket(AF_INET, SOCK_DGRAM, 0)), s = T(socket(AF_INET, SOCK_DGRAM, 0)), n;
    static char b[70000];
    T(bind(r, (void *)&a, sizeof a));
    getsockname(r, (void *)&a, &len);
    T(send(s, "x", 1, 0));
    T(sendto(s, "hello", 5, 0, (void *)&a, sizeof a));
    arrival(r);
    T(ioctl(r, FIONREAD, &n)); N(n);
    T(recvfrom(r, b, 3, MSG_PEEK, (void *)&from, &len));
    T(recvfrom(r, b, 3, MSG_PEEK | MSG_TRUNC, (void *)&from, &len));
    T(recvfrom(r, b, 64, 0, (void *)&from, &len)); N(len);
    C(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    T(sendto(r, "back", 4, 0, (void *)&from, sizeof from));
    arrival(s);
    T(recv(s, b, 64, 0));
    T(recv(r, b, 64, MSG_DONTWAIT));
    T(sendto(s, "", 0, 0, (void *)&a, sizeof a));
    arrival(r);
    T(recv(r, b, 64, 0));
    T(sendto(s, b, 65507, 0, (void *)&a, sizeof a));
    arrival(r);
    T(recv(r, b, sizeof b, 0));
    T(sendto(s, b, 65508, 0, (void *)&a, sizeof a));
    T(connect(s, (void *)&a, sizeof a));
    T(send(s, "conn", 4, 0));
    T(write(s, "ected", 5));
    arrival(r);
    T(recv(r, b, 64, 0));
    arrival(r);
    T(recv(r, b, 64, 0));
    T(getpeername(s, (void *)&from, &len));
    C(from.sin_port == a.sin_port);
    T(connect(s, (void *)&none, sizeof none));
    T(getpeername(s, (void *)&from, &len));
    T(connect(s, (void *)&a, sizeof a));
    close(r);
    T(send(s, "to nobody", 9, 0));
    arrival(s);
    T(recv(s, b, 64, MSG_DONTWAIT));
    T(recv(s, b, 64, MSG_DONTWAIT));
    T(listen(s, 1));
    T(accept(s, NULL, NULL));
    T(sendto(s, "x", 1, MSG_OOB, (void *)&a, sizeof a));
    a.sin_port = 0;
    T(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (void *)&a, sizeof a));
    T(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (void *)&a, 4));
    T(shutdown(s, SHUT_RD));
    return 0;
}
