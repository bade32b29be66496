// epoll: EPOLLET and EPOLLONESHOT.
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static int e;
static void show(const char *what) {
    struct epoll_event got[8];
    int n = epoll_wait(e, got, 8, 0);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) printf(" (%x, %d)", got[i].events, got[i].data.fd);
    puts("");
}

int main(void) {
    int p[2], s[2];
    char b[16];
    pipe2(p, O_NONBLOCK);
    e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN | EPOLLET, {.fd = 1}};
    write(p[1], "a", 1);
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    show("ready when added");
    show("no second time");
    write(p[1], "b", 1);
    show("new data");
    show("no second time");
    read(p[0], b, 1);
    show("a read is no edge");
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    show("MOD reports anew");
    close(p[1]);
    show("hang-up");
    show("once");
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[0], &ev));

    int c = eventfd(0, EFD_NONBLOCK);
    uint64_t one = 1;
    ev = (struct epoll_event){EPOLLIN | EPOLLONESHOT, {.fd = 2}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, c, &ev));
    write(c, &one, 8);
    show("one shot");
    write(c, &one, 8);
    show("disarmed");
    T(epoll_ctl(e, EPOLL_CTL_ADD, c, &ev));
    T(epoll_ctl(e, EPOLL_CTL_MOD, c, &ev));
    show("armed again");
    T(epoll_ctl(e, EPOLL_CTL_DEL, c, &ev));

    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
    ev = (struct epoll_event){EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.fd = 3}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &ev));
    show("socket writable");
    show("quiet");
    write(s[1], "x", 1);
    show("readable");
    shutdown(s[1], SHUT_WR);
    show("half closed");
    close(s[1]);
    show("closed");
    return 0;
}
