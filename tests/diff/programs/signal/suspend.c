// sigsuspend, pause, sigprocmask and rt_sigpending: masks while waiting, what cannot be blocked, sizes and errors.
#include "../t.h"
static volatile int got;
static sigset_t inside;
static void on(int s) { got = s; sigprocmask(SIG_BLOCK, NULL, &inside); }
static long mask(int how, const void *s, void *o, long n) { return syscall(SYS_rt_sigprocmask, how, s, o, n); }
int main(void) {
    sigset_t s, o;
    sigemptyset(&s); sigaddset(&s, SIGUSR1); sigaddset(&s, SIGUSR2);
    t_handle(SIGUSR1, on, 0); t_handle(SIGUSR2, on, 0); t_handle(SIGALRM, on, SA_RESTART);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    sigset_t only2;
    sigfillset(&only2); sigdelset(&only2, SIGUSR1);
    T(sigsuspend(&only2)); N(got);
    C(sigismember(&inside, SIGUSR1) == 1 && sigismember(&inside, SIGUSR2) == 1 && sigismember(&inside, SIGTERM) == 1);
    sigprocmask(SIG_BLOCK, NULL, &o);
    C(sigismember(&o, SIGUSR1) == 1 && sigismember(&o, SIGTERM) == 0);
    struct itimerval v = {{0, 0}, {0, 10000}};
    setitimer(ITIMER_REAL, &v, NULL);
    T(pause()); N(got); // whatever SA_RESTART says
    setitimer(ITIMER_REAL, &v, NULL);
    sigemptyset(&s);
    T(sigsuspend(&s)); N(got);
    T(syscall(SYS_rt_sigsuspend, &s, 4L)); T(syscall(SYS_rt_sigsuspend, BAD, 8L));
    T(mask(3, &s, NULL, 8)); T(mask(-1, &s, NULL, 8)); T(mask(3, NULL, &o, 8)); T(mask(0, &s, NULL, 4)); T(mask(0, &s, NULL, 16)); T(mask(0, BAD, NULL, 8)); T(mask(0, NULL, BAD, 8)); T(mask(0, NULL, NULL, 8));
    T(syscall(SYS_rt_sigpending, &o, 9L)); T(syscall(SYS_rt_sigpending, &o, 4L)); T(syscall(SYS_rt_sigpending, BAD, 8L)); T(syscall(SYS_rt_sigpending, &o, 0L));
    uint64_t all = ~0ull, now = 0;
    T(mask(SIG_SETMASK, &all, NULL, 8)); T(mask(0, NULL, &now, 8)); printf("%llx\n", (unsigned long long)now);
    all = 0; T(mask(SIG_SETMASK, &all, &now, 8)); printf("%llx\n", (unsigned long long)now);
    all = 1ull << (SIGKILL - 1); T(mask(SIG_BLOCK, &all, NULL, 8)); T(mask(0, NULL, &now, 8)); printf("%llx\n", (unsigned long long)now);
    return 0;
}
