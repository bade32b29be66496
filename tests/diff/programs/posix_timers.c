// timer_create: signals with values, overruns, gettime, errors.
#include "t.h"

static volatile int value, count;
static void handler(int s, siginfo_t *i, void *unused) {
    (void)unused;
    count += s == SIGUSR1 && i->si_code == SI_TIMER;
    value = i->si_value.sival_int;
}

int main(void) {
    t_handle(SIGUSR1, handler, SA_SIGINFO);
    timer_t t, n;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99};
    struct itimerspec set = {{0, 0}, {0, 10000000}}, now;
    T(timer_create(CLOCK_MONOTONIC, &ev, &t));
    T(timer_gettime(t, &now));
    N(now.it_value.tv_nsec);
    T(timer_settime(t, 0, &set, NULL));
    while (!count) t_sleep_ms(1);
    N(value); N(count);
    T(timer_getoverrun(t));
    set.it_interval.tv_nsec = 5000000;
    T(timer_settime(t, 0, &set, &now));
    N(now.it_value.tv_nsec);
    while (count < 4) t_sleep_ms(1);
    T(timer_gettime(t, &now));
    N(now.it_interval.tv_nsec);
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    t_sleep_ms(60);
    siginfo_t info;
    T(sigwaitinfo(&block, &info));
    C(timer_getoverrun(t) >= 3);
    T(timer_delete(t));
    T(timer_delete(t));
    T(timer_gettime(t, &now));
    ev.sigev_notify = SIGEV_NONE;
    T(timer_create(CLOCK_REALTIME, &ev, &n));
    set = (struct itimerspec){{0, 0}, {100, 0}};
    T(timer_settime(n, 0, &set, NULL));
    T(timer_gettime(n, &now));
    C(now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    T(timer_delete(n));
    int id;
    T(syscall(SYS_timer_create, 99, NULL, &id));
    struct { long value; int signo, notify; int pad[12]; } raw = {0, 999, SIGEV_SIGNAL, {0}};
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, &raw, &id));
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, BAD));
    return 0;
}
