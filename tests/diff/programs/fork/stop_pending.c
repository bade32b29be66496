// SIGCONT and the stop signals cancel each other while they are pending.
#include "job.h"

static int seen;
static void on(int s) { seen = seen * 100 + s; }
static int cancels(void) {
    sigset_t all, pending;
    sigfillset(&all);
    signal(SIGCONT, on), signal(SIGTSTP, on);
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(SIGTSTP); sigpending(&pending); C(sigismember(&pending, SIGTSTP));
    raise(SIGCONT); sigpending(&pending); C(sigismember(&pending, SIGTSTP)); C(sigismember(&pending, SIGCONT));
    raise(SIGTTOU); sigpending(&pending); C(sigismember(&pending, SIGTTOU)); C(sigismember(&pending, SIGCONT));
    raise(SIGTSTP); raise(SIGTTOU);
    kill(getpid(), SIGCONT);
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    N(seen);
    return 0;
}
static int ignores(void) {
    signal(SIGTSTP, SIG_IGN);
    raise(SIGTSTP);
    return 2;
}
static int orphan(void) { // nobody could continue it: the terminal's stop signals do nothing
    setsid();
    raise(SIGTSTP); raise(SIGTTIN); raise(SIGTTOU);
    return 3;
}

int main(void) {
    J(cancels); J(ignores); J(orphan);
    return 0;
}
