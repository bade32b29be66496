// Masks, sigpending, sigsuspend, sigtimedwait, sigwaitinfo.
#include "t.h"

static volatile sig_atomic_t got;
static void handler(int signal) { got = got * 100 + signal; }

int main(void) {
    sigset_t set, pending, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    T(sigprocmask(SIG_BLOCK, &set, NULL));
    t_handle(SIGUSR1, handler, 0);
    t_handle(SIGUSR2, handler, 0);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    T(sigpending(&pending));
    N(sigismember(&pending, SIGUSR1)); N(sigismember(&pending, SIGUSR2)); N(sigismember(&pending, SIGTERM));
    N(got);
    sigset_t one = set;
    sigdelset(&one, SIGUSR1);
    T(sigsuspend(&one));
    N(got);
    siginfo_t info;
    struct timespec zero = {0, 0}, some = {0, 20000000}, bad = {0, -1};
    T(sigtimedwait(&set, &info, &zero));
    N(info.si_signo); N(info.si_code);
    T(sigtimedwait(&set, &info, &zero));
    T(sigtimedwait(&set, &info, &some));
    T(sigtimedwait(&set, &info, &bad));
    N(got);
    for (int i = 1; i <= 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    for (int i = 1; i <= 3; i++) { C(sigwaitinfo(&set, &info) == SIGRTMIN); N(info.si_value.sival_int); }
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN); // ignoring discards what is pending
    sigpending(&pending);
    N(sigismember(&pending, SIGUSR1));
    raise(SIGUSR2);
    T(sigprocmask(SIG_SETMASK, &none, &one));
    N(got);
    N(sigismember(&one, SIGUSR1)); N(sigismember(&one, SIGTERM));
    int received = 0;
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR2);
    E(sigwait(&set, &received));
    N(received);
    T(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4L));
    T(syscall(SYS_rt_sigpending, &set, 16L));
    return 0;
}
