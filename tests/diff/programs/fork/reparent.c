// Orphans go to the nearest subreaper; PR_SET_PDEATHSIG tells them.
// diff: cpus=2
#include "job.h"

static int p[2], q[2];
static int leaf(void) {
    pid_t before = getppid();
    j_tell(p[1]); // the middle may go
    while (getppid() == before) t_sleep_ms(1);
    pid_t after = getppid();
    if (write(q[1], &after, sizeof after) != sizeof after) return 1;
    return 21;
}
static int middle(void) { j_start(leaf); j_await(p[0]); return 20; }
static int told(void) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    j_tell(p[1]);
    siginfo_t info;
    sigwaitinfo(&set, &info);
    return info.si_signo;
}
static int teller(void) { j_start(told); j_await(p[0]); return 22; }

int main(void) {
    int status, flag = 0;
    pipe(p), pipe(q);
    T(prctl(PR_GET_CHILD_SUBREAPER, &flag)); N(flag);
    T(prctl(PR_SET_CHILD_SUBREAPER, 1));
    T(prctl(PR_GET_CHILD_SUBREAPER, &flag)); N(flag);
    J(middle);
    pid_t heir = 0;
    C(read(q[0], &heir, sizeof heir) == sizeof heir && heir == getpid());
    C(wait(&status) > 0); j_status("orphan", status);
    J(teller);
    C(wait(&status) > 0); j_status("told", status);
    T(wait(&status));
    fflush(stdout);
    if (fork() == 0) { prctl(PR_GET_CHILD_SUBREAPER, &flag); _exit(flag); } // not inherited
    wait(&status); j_status("inherited", status);
    return 0;
}
