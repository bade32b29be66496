// epoll, level triggered: adding, changing, removing, what is reported and when.
#include "t.h"
#include <sys/epoll.h>

static int e;
static void show(const char *what) {
    struct epoll_event got[8];
    int n = epoll_wait(e, got, 8, 0);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) printf(" (%x, %d)", got[i].events, got[i].data.fd);
    puts("");
}

int main(void) {
    int p[2], q[2];
    char b[16];
    pipe(p); pipe(q);
    e = T(epoll_create1(0));
    struct epoll_event ev = {EPOLLIN, {.fd = 100}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    show("nothing");
    write(p[1], "abc", 3);
    show("written");
    show("still");
    read(p[0], b, 2);
    show("partly read");
    ev.data.fd = 200;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    show("new data");
    ev.events = 0;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    show("no interest");
    ev.events = EPOLLIN;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    ev = (struct epoll_event){EPOLLOUT, {.fd = 300}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &ev));
    struct epoll_event got[1];
    T(epoll_wait(e, got, 1, 0));
    read(p[0], b, 16);
    show("writable only");
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
    show("removed");
    int copy = dup(p[0]);
    write(p[1], "x", 1);
    close(p[0]);
    show("closed, but a copy lives");
    close(copy);
    show("closed for good");
    ev = (struct epoll_event){EPOLLIN, {.fd = 400}};
    T(epoll_ctl(e, EPOLL_CTL_ADD, q[0], &ev));
    close(q[1]);
    show("writer gone");
    T(epoll_wait(e, got, 1, -1));
    ev.events = 0;
    T(epoll_ctl(e, EPOLL_CTL_MOD, q[0], &ev));
    show("hang-up needs no interest");
    return 0;
}
