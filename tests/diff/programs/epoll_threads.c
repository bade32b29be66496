// Several threads wait on one epoll: a one-shot event wakes exactly one, and every token is served once.
// diff: cpus=2
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#define TOKENS 2000

static int e, fds[8];
static atomic_long served, ended;
static void *worker(void *unused) {
    struct epoll_event ev;
    for (;;) {
        if (epoll_wait(e, &ev, 1, -1) != 1) continue;
        uint64_t v;
        if (ev.data.u32 == 99) { ended++; return unused; }
        if (read(fds[ev.data.u32], &v, 8) == 8) served += v;
        ev.events = EPOLLIN | EPOLLONESHOT;
        epoll_ctl(e, EPOLL_CTL_MOD, fds[ev.data.u32], &ev);
    }
}

int main(void) {
    pthread_t t[4];
    e = epoll_create1(0);
    for (int i = 0; i < 8; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
        epoll_ctl(e, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){EPOLLIN | EPOLLONESHOT, {.u32 = i}});
    }
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, worker, NULL);
    uint64_t one = 1;
    for (int i = 0; i < TOKENS; i++) write(fds[i % 8], &one, 8);
    while (served < TOKENS) sched_yield();
    int stop = eventfd(1, 0);
    epoll_ctl(e, EPOLL_CTL_ADD, stop, &(struct epoll_event){EPOLLIN, {.u32 = 99}});
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(served); N(ended);
    return 0;
}
