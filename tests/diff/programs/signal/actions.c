// sigaction in detail: which signals and flags it takes, what it gives back, and what SIG_IGN does to a pending signal.
#include "../t.h"

struct raw { void *handler; unsigned long flags; void *restorer; unsigned long mask; };
static void nothing(int signal) { (void)signal; }
static long raw(int signal, struct raw *new, struct raw *old, size_t size) { return syscall(SYS_rt_sigaction, signal, new, old, size); }

int main(void) {
    struct raw a = {(void *)nothing, 0, NULL, 0}, b;
    T(raw(0, NULL, &b, 8));
    T(raw(65, NULL, &b, 8));
    T(raw(64, NULL, &b, 8));
    T(raw(-1, NULL, &b, 8));
    T(raw(SIGUSR1, NULL, NULL, 8));
    T(raw(SIGUSR1, NULL, &b, 4));
    T(raw(SIGUSR1, NULL, &b, 16));
    T(raw(SIGUSR1, BAD, NULL, 8));
    T(raw(SIGUSR1, NULL, BAD, 8));
    T(raw(SIGKILL, NULL, &b, 8));
    T(raw(SIGKILL, &a, NULL, 8));
    T(raw(SIGSTOP, &a, &b, 8));
    T(raw(0, BAD, NULL, 8));
    T(raw(SIGKILL, BAD, NULL, 8));
    a.handler = SIG_DFL;
    T(raw(SIGKILL, &a, NULL, 8));
    a.handler = SIG_IGN;
    T(raw(SIGSTOP, &a, NULL, 8));
    // All flags: only those that exist come back.
    a = (struct raw){(void *)nothing, ~0x04000000ul, NULL, ~0ul};
    T(raw(SIGUSR1, &a, NULL, 8));
    T(raw(SIGUSR1, NULL, &b, 8));
    printf("flags %lx mask %lx\n", b.flags, b.mask);
    // The new action is written although the old one cannot be read back.
    a = (struct raw){SIG_IGN, 0, NULL, 0};
    T(raw(SIGUSR2, &a, BAD, 8));
    T(raw(SIGUSR2, NULL, &b, 8));
    C(b.handler == (void *)SIG_IGN);
    // Ignoring a pending signal forgets it, and so does the default of SIGCHLD, SIGURG, SIGWINCH.
    int signals[] = {SIGUSR1, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTERM, SIGRTMIN};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        int s = signals[i];
        sigset_t set, pending;
        sigemptyset(&set);
        sigaddset(&set, s);
        sigprocmask(SIG_BLOCK, &set, NULL);
        t_handle(s, nothing, 0);
        raise(s);
        kill(getpid(), s);
        sigpending(&pending);
        printf("%d pending %d", i, sigismember(&pending, s));
        signal(s, i % 2 || s == SIGUSR1 || s == SIGTERM || s == SIGRTMIN ? SIG_IGN : SIG_DFL);
        sigpending(&pending);
        printf(" then %d", sigismember(&pending, s));
        // A blocked signal is kept even if it is ignored.
        raise(s);
        sigpending(&pending);
        printf(" again %d\n", sigismember(&pending, s));
        signal(s, SIG_IGN);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    // pending may be asked for in part.
    unsigned long some = ~0ul;
    T(syscall(SYS_rt_sigpending, &some, 0L));
    C(some == ~0ul);
    T(syscall(SYS_rt_sigpending, &some, 4L));
    printf("%lx\n", some);
    T(syscall(SYS_rt_sigpending, &some, 9L));
    T(syscall(SYS_rt_sigpending, BAD, 8L));
    T(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4L));
    T(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8L));
    T(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD, 8L));
    T(syscall(SYS_rt_sigprocmask, 3, &some, NULL, 8L));
    T(syscall(SYS_rt_sigprocmask, 3, BAD, NULL, 8L));
    T(syscall(SYS_rt_sigsuspend, &some, 4L));
    T(syscall(SYS_rt_sigsuspend, BAD, 8L));
    return 0;
}
