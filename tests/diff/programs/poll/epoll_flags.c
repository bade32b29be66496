// epoll: edges, one shots, exclusive wakes, hang-ups of half a connection, and what MOD does to each.
#include "../t.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/eventfd.h>

static int ep;
static void show(const char *what) {
    struct epoll_event e[8];
    int n = epoll_wait(ep, e, 8, 0);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) printf(" [%u %llx]", e[i].events, (unsigned long long)e[i].data.u64);
    puts("");
}
static int ctl(int op, int fd, unsigned events, uint64_t data) {
    struct epoll_event e = {events, {.u64 = data}};
    return epoll_ctl(ep, op, fd, &e);
}
int main(void) {
    int s[2], p[2];
    char b[8];
    ep = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    T(ctl(EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLET, 1));
    show("nothing");
    write(s[1], "ab", 2);
    show("edge"); show("no second edge");
    write(s[1], "c", 1);
    show("another write is another edge");
    read(s[0], b, 1);
    show("a read is none");
    T(ctl(EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLET, 2));
    show("MOD looks again"); show("once");
    T(ctl(EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLONESHOT, 3));
    show("one shot"); show("spent");
    write(s[1], "d", 1);
    show("still spent");
    T(ctl(EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLONESHOT, 4));
    show("armed again");
    T(ctl(EPOLL_CTL_MOD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 5));
    show("level, both"); show("level again");
    shutdown(s[1], SHUT_WR);
    show("half closed");
    T(ctl(EPOLL_CTL_MOD, s[0], 0, 6));
    show("asked for nothing");
    close(s[1]);
    show("HUP comes unasked");
    close(s[0]);
    show("closed");
    // Exclusive.
    pipe(p);
    T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 7));
    write(p[1], "x", 1);
    show("exclusive");
    T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN, 8));
    T(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 8));
    T(ctl(EPOLL_CTL_DEL, p[0], 0, 0));
    T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 9));
    T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 9));
    T(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLET | EPOLLWAKEUP, 9));
    int inner = epoll_create1(0);
    T(ctl(EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLEXCLUSIVE, 10));
    T(ctl(EPOLL_CTL_ADD, inner, EPOLLIN, 10));
    show("pipe alone");
    struct epoll_event e = {EPOLLIN, {.u64 = 11}};
    int ev = eventfd(1, 0);
    epoll_ctl(inner, EPOLL_CTL_ADD, ev, &e);
    T(ctl(EPOLL_CTL_DEL, p[0], 0, 0));
    show("an epoll in an epoll");
    // The end of a pipe.
    T(ctl(EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 12));
    close(inner);
    show("writable");
    close(p[0]);
    show("no reader");
    return 0;
}
