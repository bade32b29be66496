// epoll: every error of epoll_create, epoll_ctl and epoll_wait.
#include "t.h"
#include <sys/epoll.h>

int main(void) {
    t_scratch();
    int p[2], file = t_file("file", ""), dir = open(".", O_RDONLY);
    pipe(p);
    struct epoll_event ev = {EPOLLIN, {.fd = 0}}, got[4];
    T(syscall(SYS_epoll_create, 0));
    T(syscall(SYS_epoll_create, -1));
    T(epoll_create1(1));
    int e = T(epoll_create(1)), e2 = T(epoll_create1(0));
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[1], &ev));
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[1], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, file, &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, dir, &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, -1, &ev));
    T(epoll_ctl(-1, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(file, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
    T(epoll_ctl(e, 99, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[1], BAD));
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[0], BAD));
    T(epoll_ctl(e, EPOLL_CTL_ADD, e2, &ev));
    T(epoll_ctl(e2, EPOLL_CTL_ADD, e, &ev));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE;
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &ev));
    T(epoll_wait(e, got, 0, 0));
    T(epoll_wait(e, got, -1, 0));
    T(epoll_wait(file, got, 1, 0));
    T(epoll_wait(-1, got, 1, 0));
    T(epoll_wait(e, got, 4, 0));
    write(p[1], "x", 1);
    T(epoll_wait(e, BAD, 4, 0));
    T(epoll_wait(e, got, 4, 0));
    T(epoll_wait(e, got, 4, -1));
    T(read(e, got, 8));
    T(write(e, got, 8));
    T(lseek(e, 0, SEEK_SET));
    int chain[7];
    for (int i = 0; i < 7; i++) {
        chain[i] = epoll_create1(0);
        if (i) printf("nesting %d: %s\n", i, epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &(struct epoll_event){EPOLLIN, {0}}) ? t_name(errno) : "ok");
    }
    return 0;
}
