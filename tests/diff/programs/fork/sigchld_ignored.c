// Children of who ignores SIGCHLD, or says SA_NOCLDWAIT, leave no zombies; wait waits for all of them.
#include "job.h"

static volatile int seen;
static void on(int s) { (void)s; seen++; }
static int quick(void) { return 1; }
static int slow(void) { t_sleep_ms(30); return 2; }

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = j_start(slow);
    j_start(quick);
    j_wait("ignored", pid, 0);
    T(kill(pid, 0)); T(wait(NULL));
    t_handle(SIGCHLD, on, SA_NOCLDWAIT);
    pid = j_start(quick);
    while (!seen) t_sleep_ms(1);
    j_wait("no wait", pid, 0);
    T(wait(NULL)); N(seen);
    signal(SIGCHLD, SIG_DFL);
    pid = j_start(quick);
    t_sleep_ms(20);
    signal(SIGCHLD, SIG_IGN); // a zombie that there is stays
    T(kill(pid, 0));
    j_wait("zombie", pid, 0);
    signal(SIGCHLD, SIG_DFL);
    pid = j_start(slow);
    signal(SIGCHLD, SIG_IGN);
    j_wait("set while it ran", pid, 0);
    return 0;
}
