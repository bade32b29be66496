// Readiness of TCP sockets through their life, by poll and epoll.
// diff: cpus=2
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int e;
// Loopback answers in its own time: waits for what must come, then shows all there is.
static void show(const char *what, int fd, int wanted) {
    struct pollfd f = {fd, wanted, 0};
    poll(&f, 1, 5000);
    f = (struct pollfd){fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&f, 1, 0);
    printf("%s: %x", what, f.revents);
    struct epoll_event ev = {EPOLLIN | EPOLLOUT | EPOLLRDHUP, {.fd = fd}};
    epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
    int n = epoll_wait(e, &ev, 1, 0);
    epoll_ctl(e, EPOLL_CTL_DEL, fd, NULL);
    printf(" epoll %d %x\n", n, n > 0 ? ev.events : 0);
}

int main(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    char b[8];
    e = epoll_create1(0);
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    show("fresh", c, 0);
    bind(l, (void *)&a, sizeof a);
    listen(l, 4);
    getsockname(l, (void *)&a, &len);
    struct pollfd quiet = {l, POLLIN, 0};
    T(poll(&quiet, 1, 0));
    T(connect(c, (void *)&a, sizeof a));
    show("to accept", l, POLLIN);
    int s = T(accept(l, NULL, NULL));
    show("connected", c, POLLOUT);
    write(c, "x", 1);
    show("data", s, POLLIN);
    read(s, b, 8);
    show("read", s, POLLOUT);
    shutdown(c, SHUT_WR);
    show("peer will not write", s, POLLIN);
    show("we will not write", c, POLLOUT);
    T(read(s, b, 8));
    write(s, "y", 1);
    show("data after half-close", c, POLLIN);
    T(read(c, b, 8));
    close(s);
    show("closed by both", c, POLLHUP);
    T(read(c, b, 8));
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c, (void *)&a, sizeof a));
    s = T(accept(l, NULL, NULL));
    shutdown(s, SHUT_RDWR);
    show("peer shut both", c, POLLIN);
    fcntl(c, F_SETFL, O_NONBLOCK);
    static char big[1 << 20];
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0);
    connect(c, (void *)&a, sizeof a);
    s = accept(l, NULL, NULL);
    fcntl(c, F_SETFL, O_NONBLOCK);
    while (write(c, big, sizeof big) > 0) {}
    C(errno == EAGAIN);
    struct pollfd full = {c, POLLOUT, 0};
    t_sleep_ms(50);
    while (write(c, big, sizeof big) > 0) {}
    T(poll(&full, 1, 0));
    fcntl(s, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 1000 && poll(&full, 1, 1) == 0; i++)
        while (read(s, big, sizeof big) > 0) {}
    N(full.revents);
    return 0;
}
