// A group that becomes orphaned while a member is stopped gets SIGHUP and SIGCONT.
// diff: cpus=2
#include "job.h"

static int p[2];
static volatile int hung;
static void on_hup(int s) { (void)s; hung = 1; }
static int member(void) {
    signal(SIGHUP, on_hup);
    j_tell(p[1]);
    raise(SIGSTOP);
    for (int i = 0; i < 2000 && !hung; i++) t_sleep_ms(1);
    return hung ? 30 : 31;
}
static int calm(void) { // not stopped: nothing happens
    signal(SIGHUP, on_hup);
    j_tell(p[1]);
    t_sleep_ms(60);
    return hung ? 32 : 33;
}
static int shell(int (*job)(void), int stops) {
    pid_t pid = j_start(job);
    setpgid(pid, pid);
    j_await(p[0]);
    if (stops) waitpid(pid, NULL, WUNTRACED);
    return 0;
}
static int shell_stopped(void) { setsid(); return shell(member, 1); }
static int shell_calm(void) { setsid(); return shell(calm, 0); }

int main(void) {
    int status;
    pipe(p);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    J(shell_stopped);
    wait(&status); j_status("stopped", status);
    J(shell_calm);
    wait(&status); j_status("calm", status);
    return 0;
}
