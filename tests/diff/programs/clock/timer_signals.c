// timer_create with SIGEV_THREAD_ID, overruns, siginfo, blocked signals, timers over fork and exec of nothing, re-arming.
// diff: cpus=2
#include "../t.h"
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
static _Atomic int tid_seen, code, value, overrun, count;
static void on(int s, siginfo_t *i, void *u) { (void)s; (void)u; count++; tid_seen = (int)syscall(SYS_gettid); code = i->si_code; value = i->si_value.sival_int; overrun = i->si_overrun; }
static void *target(void *p) { *(_Atomic int *)p = (int)syscall(SYS_gettid); while (count == 0) t_sleep_ms(1); return NULL; }
static long set(int id, int flags, long first_ms, long every_ms) {
    struct itimerspec v = {{every_ms / 1000, every_ms % 1000 * 1000000}, {first_ms / 1000, first_ms % 1000 * 1000000}};
    return syscall(SYS_timer_settime, id, flags, &v, NULL);
}
int main(void) {
    int id = -1;
    _Atomic int tid = 0;
    pthread_t t;
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
    t_handle(SIGRTMIN + 1, on, SA_SIGINFO);
    pthread_create(&t, NULL, target, &tid);
    while (!tid) t_sleep_ms(1);
    e.sigev_notify_thread_id = tid;
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id)); T(set(id, 0, 5, 0));
    pthread_join(t, NULL);
    C(tid_seen == tid); N(code); N(value); N(overrun);
    T(set(id, 0, 5, 0)); // the thread is gone
    t_sleep_ms(30); N(count);
    T(syscall(SYS_timer_delete, id));
    // Overruns of a blocked signal.
    sigset_t s;
    sigemptyset(&s); sigaddset(&s, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    e.sigev_notify = SIGEV_SIGNAL;
    T(syscall(SYS_timer_create, CLOCK_REALTIME, &e, &id)); T(set(id, 0, 2, 2));
    t_sleep_ms(60);
    siginfo_t i;
    struct timespec zero = {0, 0};
    T(sigtimedwait(&s, &i, &zero) == SIGRTMIN + 1); N(i.si_code); C(i.si_overrun >= 10 && i.si_overrun <= 40); C(syscall(SYS_timer_getoverrun, id) == i.si_overrun);
    T(set(id, 0, 0, 0));
    while (sigtimedwait(&s, &i, &zero) > 0) {}
    // A signal that waits when the timer is set anew or deleted is not delivered twice.
    T(set(id, 0, 1, 0)); t_sleep_ms(10); T(set(id, 0, 1000, 0));
    int n = 0;
    while (sigtimedwait(&s, &i, &zero) > 0) n++;
    C(n <= 1);
    T(set(id, TIMER_ABSTIME, 1, 0)); t_sleep_ms(10); // long past
    T(sigtimedwait(&s, &i, &zero) == SIGRTMIN + 1); N(i.si_overrun);
    // Not inherited.
    if (fork() == 0) { struct itimerspec v; T(syscall(SYS_timer_gettime, id, &v)); _exit(0); }
    wait(NULL);
    T(syscall(SYS_timer_delete, id)); T(syscall(SYS_timer_delete, id));
    return 0;
}
