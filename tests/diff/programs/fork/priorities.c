// Nice values of processes, groups and users; scheduling policies that everybody may have.
#include "job.h"
#include <sys/resource.h>

static int p[2];
static int member(void) { setpgid(0, 0); j_tell(p[1]); for (;;) pause(); return 0; }
static int nobody(void) {
    setuid(4242);
    T(getpriority(PRIO_USER, 0)); T(setpriority(PRIO_PROCESS, 0, 3)); T(getpriority(PRIO_USER, 4242)); T(setpriority(PRIO_PROCESS, 0, 2)); T(setpriority(PRIO_PROCESS, 0, 5)); T(setpriority(PRIO_PROCESS, getppid(), 10)); T(nice(1)); T(nice(-1));
    struct sched_param s = {0};
    T(sched_setscheduler(0, SCHED_BATCH, &s)); T(sched_getscheduler(0)); T(sched_setscheduler(0, SCHED_IDLE, &s)); T(sched_getscheduler(0));
    fflush(stdout);
    if (fork() == 0) { T(sched_getscheduler(0)); fflush(stdout); _exit(0); }
    wait(NULL);
    return 0;
}

int main(void) {
    pipe(p);
    T(getpriority(PRIO_PROCESS, 0)); T(getpriority(9, 0)); T(getpriority(PRIO_PROCESS, 1 << 22)); T(getpriority(PRIO_PGRP, 1 << 22)); T(getpriority(PRIO_USER, 98765));
    pid_t pid = j_start(member);
    j_await(p[0]);
    T(setpriority(PRIO_PGRP, pid, 7)); T(getpriority(PRIO_PGRP, pid)); T(getpriority(PRIO_PROCESS, pid)); T(setpriority(PRIO_PROCESS, pid, 99)); T(getpriority(PRIO_PROCESS, pid)); T(setpriority(PRIO_PROCESS, pid, -99)); T(getpriority(PRIO_PROCESS, pid));
    kill(pid, SIGKILL);
    j_wait("member", pid, 0);
    J(nobody);
    return 0;
}
