// Waiting by group, for whoever is first, and without taking.
// diff: cpus=2
#include "job.h"

static int p[2];
static int waits(void) { j_await(p[0]); return 3; }
static int own_group(void) { setpgid(0, 0); j_await(p[0]); return 4; }

int main(void) {
    int status;
    siginfo_t info;
    pipe(p);
    pid_t a = j_start(waits), b = j_start(own_group);
    setpgid(b, b);
    C(waitpid(0, &status, WNOHANG) == 0); C(waitpid(-b, &status, WNOHANG) == 0);
    T(waitpid(-a, &status, WNOHANG));
    j_tell(p[1]), j_tell(p[1]);
    C(waitpid(-b, &status, 0) == b); j_status("group", status);
    T(waitpid(-b, &status, 0));
    C(waitid(P_PGID, getpgrp(), &info, WEXITED | WNOWAIT) == 0 && info.si_pid == a);
    C(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == a);
    C(waitid(P_PGID, 0, &info, WEXITED) == 0 && info.si_pid == a); N(info.si_status);
    T(waitid(P_ALL, 0, &info, WEXITED));
    return 0;
}
