// epoll within epoll and within poll; waits with a time limit and a signal mask.
#include "t.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static volatile sig_atomic_t alarms;
static void on_alarm(int s) { alarms += s == SIGALRM; }

int main(void) {
    int inner = epoll_create1(0), outer = epoll_create1(0), c = eventfd(0, EFD_NONBLOCK);
    uint64_t v = 1;
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x1122334455667788}}, got[4];
    epoll_ctl(inner, EPOLL_CTL_ADD, c, &ev);
    ev.data.u64 = 42;
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
    struct pollfd f = {outer, POLLIN | POLLOUT, 0};
    T(epoll_wait(outer, got, 4, 0));
    T(poll(&f, 1, 0));
    write(c, &v, 8);
    T(poll(&f, 1, 0)); N(f.revents);
    T(epoll_wait(outer, got, 4, 0));
    C(got[0].data.u64 == 42);
    T(epoll_wait(inner, got, 4, 0));
    C(got[0].data.u64 == 0x1122334455667788);
    read(c, &v, 8);
    T(epoll_wait(outer, got, 4, 0));
    long before = t_now_ms();
    T(epoll_wait(outer, got, 4, 50));
    C(t_now_ms() - before >= 49);
    t_handle(SIGALRM, on_alarm, SA_RESTART); // epoll_wait is never restarted
    ualarm(100000, 0);
    T(epoll_wait(outer, got, 4, 5000));
    N(alarms);
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGALRM);
    T(epoll_wait(outer, got, 4, 10));
    N(alarms);
    T(epoll_pwait(outer, got, 4, 5000, &none));
    N(alarms);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    C(sigismember(&now, SIGALRM));
    T(syscall(SYS_epoll_pwait, outer, got, 4, 0, &none, 3L));
    return 0;
}
