// setpgid, setsid and their errors.
// diff: cpus=2
#define T_INHERITS
#include "job.h"

static int p[2], q[2];
static int leads(void) { T(setsid() == getpid()); C(getsid(0) == getpid() && getpgrp() == getpid()); T(setsid()); T(setpgid(0, 0)); T(setpgid(0, getppid())); return 0; }
static int group_leader(void) { T(setpgid(0, 0)); T(setsid()); T(setpgid(0, 0)); T(setpgid(0, -1)); T(setpgid(-1, 0)); T(setpgid(0, 1 << 22)); T(setpgid(getppid(), 0)); return 0; }
static int waits(void) { j_tell(p[1]); j_await(q[0]); return 1; }
static int session(void) { setsid(); j_tell(p[1]); j_await(q[0]); return 2; }
static int runs(void) { j_await(q[0]); char *a[] = {"x", "y", NULL}; execv("/proc/self/exe", a); return 9; }

int main(int argc, char **argv) {
    (void)argv;
    pipe(p), pipe(q);
    if (argc > 1) { write(11, "x", 1); read(10, (char[1]){0}, 1); return 3; }
    J(leads); J(group_leader);
    pid_t a = j_start(waits), b = j_start(waits);
    j_await(p[0]), j_await(p[0]);
    T(setpgid(a, 0)); T(setpgid(b, a));
    C(getpgid(a) == a && getpgid(b) == a && getpgrp() != a);
    T(kill(-a, 0)); T(kill(-b, 0));
    T(killpg(a, SIGTERM));
    j_wait("first", a, 0);
    T(setpgid(b, b) == 0 || errno == ESRCH);
    j_wait("second", b, 0);
    T(kill(-a, 0));
    pid_t c = j_start(session);
    j_await(p[0]);
    T(setpgid(c, 0)); C(getsid(c) == c); C(getsid(c) != getsid(0));
    j_tell(q[1]);
    j_wait("session", c, 0);
    T(getsid(c));
    dup2(q[0], 10), dup2(p[1], 11);
    pid_t d = j_start(runs);
    j_tell(q[1]);
    j_await(p[0]);
    T(setpgid(d, d)); // has executed
    j_tell(q[1]);
    j_wait("executed", d, 0);
    return 0;
}
