// Pending signals come lowest number first, real-time ones in the order sent; masks of handlers; SA_NODEFER, SA_RESETHAND.
#include "../t.h"
static int order[64], n;
static void on(int s, siginfo_t *i, void *u) { (void)u; if (n < 64) order[n++] = s * 100 + (i->si_code == SI_QUEUE ? i->si_value.sival_int : 99); }
static void show(const char *what) { printf("%s:", what); for (int i = 0; i < n; i++) printf(" %d", order[i]); puts(""); n = 0; }
static volatile int depth, deepest;
static void nested(int s) { if (++depth > deepest) deepest = depth; if (depth < 3) raise(s); depth--; }
static void reset(int s) { (void)s; struct sigaction a; sigaction(SIGUSR1, NULL, &a); printf("in handler: %s %x\n", a.sa_handler == SIG_DFL ? "default" : "kept", a.sa_flags & ~0x04000000); }
int main(void) {
    sigset_t all, old;
    sigfillset(&all);
    for (int s = 34; s <= 40; s++) t_handle(s, on, SA_SIGINFO);
    t_handle(SIGUSR1, on, SA_SIGINFO); t_handle(SIGUSR2, on, SA_SIGINFO); t_handle(SIGTERM, on, SA_SIGINFO);
    sigprocmask(SIG_BLOCK, &all, &old);
    int sent[] = {40, 35, 36, 35, 36, 35, 40};
    for (int i = 0; i < 7; i++) sigqueue(getpid(), sent[i], (union sigval){.sival_int = i});
    kill(getpid(), SIGUSR2); kill(getpid(), SIGUSR1); kill(getpid(), SIGUSR1); kill(getpid(), SIGTERM);
    sigset_t p;
    sigpending(&p);
    for (int s = 1; s < 65; s++) if (sigismember(&p, s) == 1) printf("%d ", s);
    puts("");
    // Handlers are entered one in another: the last one that is set up runs first.
    sigprocmask(SIG_SETMASK, &old, NULL);
    show("all masks open");
    struct sigaction a = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
    sigfillset(&a.sa_mask);
    for (int s = 34; s <= 40; s++) sigaction(s, &a, NULL);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 7; i++) sigqueue(getpid(), sent[i], (union sigval){.sival_int = i});
    sigprocmask(SIG_SETMASK, &old, NULL);
    show("one after the other");
    // To the thread and to the process: the thread's come first.
    sigprocmask(SIG_BLOCK, &all, NULL);
    kill(getpid(), 36); syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 38);
    sigprocmask(SIG_SETMASK, &old, NULL);
    show("thread and process");
    t_handle(SIGHUP, nested, SA_NODEFER); raise(SIGHUP); N(deepest);
    t_handle(SIGUSR1, reset, (int)SA_RESETHAND); raise(SIGUSR1);
    // A blocked signal that is ignored meanwhile is forgotten.
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise(SIGUSR2); signal(SIGUSR2, SIG_IGN);
    sigpending(&p); T(sigismember(&p, SIGUSR2));
    raise(SIGCHLD); sigpending(&p); T(sigismember(&p, SIGCHLD)); // ignored by default, but blocked
    signal(SIGCHLD, SIG_DFL); sigpending(&p); T(sigismember(&p, SIGCHLD));
    raise(SIGTSTP); raise(SIGCONT); sigpending(&p); T(sigismember(&p, SIGTSTP)); T(sigismember(&p, SIGCONT));
    raise(SIGTSTP); sigpending(&p); T(sigismember(&p, SIGTSTP)); T(sigismember(&p, SIGCONT));
    return 0;
}
