// SA_SIGINFO: what each way of sending shows; sigaction's own errors.
#include "t.h"

static void handler(int signal, siginfo_t *i, void *context) {
    printf("signal %d code %d pid ours %d uid %d value %d context %d\n", signal, i->si_code, i->si_pid == getpid(), i->si_uid,
           i->si_code == SI_QUEUE ? i->si_value.sival_int : 0, context != NULL);
}

int main(void) {
    t_handle(SIGUSR1, handler, SA_SIGINFO);
    t_handle(SIGRTMIN + 3, handler, SA_SIGINFO);
    T(kill(getpid(), SIGUSR1));
    T(raise(SIGUSR1));
    T(syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGUSR1));
    T(syscall(SYS_tkill, (int)syscall(SYS_gettid), SIGUSR1));
    T(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = -5}));
    T(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 123456}));
    T(kill(getpid(), 0));
    T(kill(getpid(), 65));
    T(kill(getpid(), -1));
    T(kill(99999999, 0));
    T(syscall(SYS_tgkill, getpid(), 99999999, 0));
    T(syscall(SYS_tgkill, getpid(), 0, 0));
    T(syscall(SYS_tgkill, -1, 1, 0));
    T(syscall(SYS_tkill, -1, 1));
    struct sigaction a, old;
    T(sigaction(SIGUSR1, NULL, &old));
    C(old.sa_sigaction == handler && old.sa_flags & SA_SIGINFO);
    T(sigaction(SIGUSR2, NULL, &old));
    C(old.sa_handler == SIG_DFL);
    memset(&a, 0, sizeof a);
    a.sa_handler = SIG_IGN;
    T(sigaction(SIGKILL, &a, NULL));
    T(sigaction(SIGSTOP, &a, NULL));
    T(sigaction(SIGKILL, NULL, &old));
    T(sigaction(0, &a, NULL));
    T(sigaction(65, &a, NULL));
    T(sigaction(-1, NULL, &old));
    T(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16L));
    T(sigaction(SIGUSR1, &a, &old));
    T(raise(SIGUSR1));
    T(raise(SIGCHLD));
    T(raise(SIGURG));
    T(raise(SIGWINCH));
    T(raise(SIGCONT));
    return 0;
}
