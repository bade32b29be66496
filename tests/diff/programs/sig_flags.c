// SA_NODEFER, SA_RESETHAND and sa_mask: what is blocked while a handler runs, and what remains after.
#include "t.h"

static volatile sig_atomic_t level, deepest;
static void show(void) {
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("  blocked: USR1 %d USR2 %d TERM %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2), sigismember(&now, SIGTERM));
}
static void nesting(int signal) {
    level++;
    if (level > deepest) deepest = level;
    if (level < 3) raise(signal);
    show();
    level--;
}
static void simple(int signal) {
    printf("  got %d\n", signal);
    show();
}
static void order(int signal) { printf("  enter %d\n", signal); }

int main(void) {
    t_handle(SIGUSR1, nesting, SA_NODEFER);
    raise(SIGUSR1);
    N(deepest);
    struct sigaction a = {.sa_handler = simple}, now;
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaddset(&a.sa_mask, SIGKILL); // silently ignored
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    show();
    a.sa_flags = SA_RESETHAND;
    sigaction(SIGTERM, &a, NULL);
    raise(SIGTERM);
    sigaction(SIGTERM, NULL, &now);
    C(now.sa_handler == SIG_DFL);
    // Pending signals are delivered lowest first, so the handler of the highest runs first to its end.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int signals[] = {SIGRTMIN + 5, SIGUSR2, SIGHUP, SIGRTMIN + 2, SIGUSR1};
    for (int i = 0; i < 5; i++) { t_handle(signals[i], order, 0); raise(signals[i]); }
    raise(SIGUSR1); // a standard signal is pending once
    raise(SIGRTMIN + 2);
    T(sigprocmask(SIG_UNBLOCK, &all, NULL));
    T(sigprocmask(77, &all, NULL));
    T(sigprocmask(77, NULL, &all));
    puts("die by SIGTERM");
    raise(SIGTERM);
    puts("not reached");
    return 0;
}
