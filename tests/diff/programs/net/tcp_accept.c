// accept4(2): flags, addresses, what an accepted socket inherits, backlog, nonblocking, closing with connections waiting.
// diff: cpus=2
#include "net/n.h"
int main(void) {
    int l = n_listener(2), one = 1, two = 5000;
    setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &one, 4); setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, 4); setsockopt(l, SOL_SOCKET, SO_OOBINLINE, &one, 4);
    setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, 4); setsockopt(l, IPPROTO_TCP, TCP_KEEPIDLE, &two, 4); setsockopt(l, SOL_SOCKET, SO_BROADCAST, &one, 4);
    setsockopt(l, SOL_SOCKET, SO_RCVLOWAT, &two, 4); setsockopt(l, IPPROTO_IP, IP_TOS, &(int){0x20}, 4); setsockopt(l, IPPROTO_IP, IP_TTL, &(int){55}, 4);
    setsockopt(l, SOL_SOCKET, SO_PRIORITY, &(int){3}, 4); setsockopt(l, IPPROTO_TCP, TCP_USER_TIMEOUT, &two, 4); setsockopt(l, SOL_SOCKET, SO_SNDBUF, &two, 4); setsockopt(l, SOL_SOCKET, SO_RCVBUF, &two, 4);
    setsockopt(l, SOL_SOCKET, SO_LINGER, &(struct linger){1, 3}, 8); setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){3, 0}, 16); setsockopt(l, SOL_SOCKET, SO_TIMESTAMP, &one, 4);
    setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4); setsockopt(l, IPPROTO_TCP, TCP_LINGER2, &(int){33}, 4); setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){0}, 4);
    fcntl(l, F_SETFL, O_NONBLOCK);
    T(accept(l, NULL, NULL)); T(accept4(l, NULL, NULL, 1)); T(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC | 8)); T(accept4(-1, NULL, NULL, 8));
    int c[3];
    for (int i = 0; i < 3; i++) c[i] = socket(AF_INET, SOCK_STREAM, 0);
    T(n_connect4(c[0], "127.0.0.1", n_port(l))); T(n_connect4(c[1], "127.0.0.1", n_port(l))); n_await(l, POLLIN);
    struct sockaddr_in a; socklen_t len = sizeof a;
    int s = accept(l, (void *)&a, &len); C(s >= 0); N(len); N(a.sin_family); C(ntohs(a.sin_port) == n_port(c[0]));
    T(fcntl(s, F_GETFL)); T(fcntl(s, F_GETFD));
    GET(s, SOL_SOCKET, SO_KEEPALIVE); GET(s, SOL_SOCKET, SO_REUSEADDR); GET(s, SOL_SOCKET, SO_OOBINLINE); GET(s, IPPROTO_TCP, TCP_NODELAY); GET(s, IPPROTO_TCP, TCP_KEEPIDLE);
    GET(s, SOL_SOCKET, SO_BROADCAST); GET(s, SOL_SOCKET, SO_RCVLOWAT); GET(s, IPPROTO_IP, IP_TOS); GET(s, IPPROTO_IP, IP_TTL); GET(s, SOL_SOCKET, SO_PRIORITY); GET(s, IPPROTO_TCP, TCP_USER_TIMEOUT);
    GET(s, SOL_SOCKET, SO_SNDBUF); GET(s, SOL_SOCKET, SO_RCVBUF); GETN(s, SOL_SOCKET, SO_LINGER, 8); GETN(s, SOL_SOCKET, SO_RCVTIMEO, 16); GET(s, SOL_SOCKET, SO_TIMESTAMP); GET(s, IPPROTO_TCP, TCP_LINGER2); GET(s, SOL_SOCKET, SO_ACCEPTCONN);
    char name[16]; len = 16; getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len); S(name);
    int t = accept4(l, BAD, &len, SOCK_NONBLOCK | SOCK_CLOEXEC); C(t < 0 && errno == EFAULT); POLL(l); n_await(c[1], POLLIN | POLLHUP); POLL(c[1]);
    len = -1; T(n_connect4(c[2], "127.0.0.1", n_port(l))); n_await(l, POLLIN); T(accept(l, (void *)&a, &len)); 
    close(c[2]); c[2] = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(c[2], "127.0.0.1", n_port(l))); n_await(l, POLLIN); len = 4; t = accept4(l, (void *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC); C(t >= 0); N(len); T(fcntl(t, F_GETFL)); T(fcntl(t, F_GETFD));
    close(t);
    int d = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(d, "127.0.0.1", n_port(l))); n_await(l, POLLIN); close(l); n_await(d, POLLHUP); POLL(d); GET(d, SOL_SOCKET, SO_ERROR);
    T(listen(socket(AF_INET, SOCK_DGRAM, 0), 1)); T(listen(socket(AF_UNIX, SOCK_DGRAM, 0), 1)); T(listen(socket(AF_UNIX, SOCK_STREAM, 0), 1)); T(accept(socket(AF_INET, SOCK_DGRAM, 0), NULL, NULL));
    int free_port = socket(AF_INET, SOCK_STREAM, 0); T(listen(free_port, -1)); SOCKNAME(free_port); T(listen(free_port, 0)); T(listen(free_port, INT_MAX));
    // One that has gone meanwhile is accepted all the same.
    l = n_listener(3); d = socket(AF_INET, SOCK_STREAM, 0); n_connect4(d, "127.0.0.1", n_port(l)); write(d, "bye", 3); close(d); n_await(l, POLLIN); s = accept(l, NULL, NULL); C(s >= 0); char b[8]; T(read(s, b, 8)); T(read(s, b, 8));
    return 0;
}
