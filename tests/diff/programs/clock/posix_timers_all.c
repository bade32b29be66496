// timer_create on every clock and with every kind of notice; overruns; absolute times; inheritance.
// diff: cpus=2
#include "../t.h"
#include <sys/prctl.h>

static _Atomic int got, code, value, overrun;
static void handler(int s, siginfo_t *i, void *u) { (void)u; got = s; code = i->si_code; value = i->si_value.sival_int; overrun = i->si_overrun; }
static int settle(void) { for (int i = 0; i < 3000 && !got; i++) t_sleep_ms(1); int g = got; got = 0; return g; }
struct raw { long value; int signo, notify, tid; int pad[11]; };
static long create(int clock, void *event, void *id) { return syscall(SYS_timer_create, clock, event, id); }
static _Atomic int tid, hits;
static void on_thread(int s) { (void)s; hits += syscall(SYS_gettid) == tid; }
static void *target(void *unused) { tid = (int)syscall(SYS_gettid); while (!hits) t_sleep_ms(1); return unused; }
static void in_thread(union sigval v) { value = v.sival_int; got = 1000; }

int main(void) {
    int id, first;
    struct itimerspec s = {{0, 0}, {0, 2000000}}, old;
    t_handle(SIGUSR1, handler, SA_SIGINFO);
    t_handle(SIGALRM, handler, SA_SIGINFO);
    for (int c = -1; c < 13; c++) {
        struct raw e = {.value = 7, .signo = SIGUSR1, .notify = SIGEV_SIGNAL};
        long r = create(c, &e, &id);
        printf("create %d: %s\n", c, r ? t_name(errno) : "ok");
        if (r == 0) syscall(SYS_timer_delete, id);
    }
    static const int notifies[] = {SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, 3, SIGEV_THREAD_ID, 5, 6, 8, -1};
    for (int i = 0; i < 9; i++) {
        struct raw e = {.signo = SIGUSR1, .notify = notifies[i], .tid = getpid()};
        long r = create(CLOCK_MONOTONIC, &e, &id);
        printf("notify %d: %s", notifies[i], r ? t_name(errno) : "ok");
        if (r == 0) syscall(SYS_timer_delete, id);
        e.signo = 0;
        r = create(CLOCK_MONOTONIC, &e, &id);
        printf(" signal 0: %s", r ? t_name(errno) : "ok");
        if (r == 0) syscall(SYS_timer_delete, id);
        e.signo = 65;
        r = create(CLOCK_MONOTONIC, &e, &id);
        printf(" signal 65: %s", r ? t_name(errno) : "ok");
        if (r == 0) syscall(SYS_timer_delete, id);
        e.signo = SIGUSR1;
        e.tid = 1 << 22;
        r = create(CLOCK_MONOTONIC, &e, &id);
        printf(" other task: %s\n", r ? t_name(errno) : "ok");
        if (r == 0) syscall(SYS_timer_delete, id);
    }
    T(create(CLOCK_MONOTONIC, BAD, &id));
    T(create(CLOCK_MONOTONIC, NULL, &first));
    T(syscall(SYS_timer_settime, first, 0, &s, NULL));
    N(settle()); N(code); C(value == first);
    T(syscall(SYS_timer_settime, first, 0, NULL, NULL));
    T(syscall(SYS_timer_settime, first, 0, BAD, NULL));
    T(syscall(SYS_timer_settime, 12345, 0, &s, NULL));
    T(syscall(SYS_timer_settime, 12345, 0, BAD, NULL));
    T(syscall(SYS_timer_gettime, 12345, &old));
    T(syscall(SYS_timer_gettime, first, BAD));
    T(syscall(SYS_timer_getoverrun, 12345));
    T(syscall(SYS_timer_delete, 12345));
    struct itimerspec bad[] = {{{0, 0}, {0, 1000000000}}, {{0, -1}, {0, 1}}, {{0, 0}, {-1, 0}}, {{-1, 0}, {0, 0}}};
    for (int i = 0; i < 4; i++) T(syscall(SYS_timer_settime, first, 0, &bad[i], NULL));
    // An absolute time in the past expires at once.
    s = (struct itimerspec){{0, 0}, {1, 0}};
    T(syscall(SYS_timer_settime, first, TIMER_ABSTIME, &s, NULL));
    N(settle());
    T(syscall(SYS_timer_gettime, first, &old)); N(old.it_value.tv_sec); N(old.it_value.tv_nsec);
    // Overruns while the signal is blocked.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    T(syscall(SYS_timer_settime, first, 0, &s, NULL));
    t_sleep_ms(40);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    N(settle()); C(syscall(SYS_timer_getoverrun, first) >= 0);
    // Deleting takes a pending signal along; disarming, too.
    sigprocmask(SIG_BLOCK, &set, NULL);
    t_sleep_ms(10);
    s = (struct itimerspec){{0, 0}, {0, 0}};
    T(syscall(SYS_timer_settime, first, 0, &s, &old)); N(old.it_interval.tv_nsec);
    sigset_t pending;
    sigpending(&pending);
    got = 0;
    T(syscall(SYS_timer_delete, first));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    N(got);
    // To one thread, and in a new one.
    pthread_t t;
    t_handle(SIGUSR2, on_thread, 0);
    pthread_create(&t, NULL, target, NULL);
    while (!tid) t_sleep_ms(1);
    struct raw e = {.signo = SIGUSR2, .notify = SIGEV_THREAD_ID, .tid = tid};
    T(create(CLOCK_MONOTONIC, &e, &id));
    s = (struct itimerspec){{0, 0}, {0, 1000000}};
    T(syscall(SYS_timer_settime, id, 0, &s, NULL));
    pthread_join(t, NULL);
    N(hits);
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 5};
    timer_t lib;
    T(timer_create(CLOCK_REALTIME, &ev, &lib));
    T(timer_settime(lib, 0, &s, NULL));
    N(settle()); N(value);
    timer_delete(lib);
    // Processor time.
    ev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 9};
    static const clockid_t cpu[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 2; i++) {
        T(timer_create(cpu[i], &ev, &lib));
        s = (struct itimerspec){{0, 0}, {0, 20000000}};
        T(timer_settime(lib, 0, &s, NULL));
        T(timer_gettime(lib, &old)); C(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
        got = 0;
        for (volatile long n = 0; !got && n < 4000000000; n++) {}
        N(got); N(code); N(value);
        T(timer_gettime(lib, &old)); N(old.it_value.tv_nsec);
        T(timer_delete(lib));
    }
    // Timers are not inherited.
    T(timer_create(CLOCK_MONOTONIC, &ev, &lib));
    if (fork() == 0) { T(timer_gettime(lib, &old)); T(timer_delete(lib)); _exit(0); }
    wait(NULL);
    T(timer_gettime(lib, &old));
    return 0;
}
