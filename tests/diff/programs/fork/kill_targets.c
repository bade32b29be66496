// kill: whom it reaches, and its errors.
// diff: cpus=2
#include "job.h"

static int p[2];
static volatile int seen;
static void on(int s) { (void)s; seen++; }
static int sleeper(void) { signal(SIGUSR1, SIG_DFL); j_tell(p[1]); for (;;) pause(); return 0; }
static int counts(void) {
    setpgid(0, 0);
    signal(SIGUSR1, on);
    pid_t a = j_start(sleeper), b = j_start(sleeper);
    j_await(p[0]), j_await(p[0]);
    T(kill(0, SIGUSR1)); N(seen);
    j_wait("a", a, 0), j_wait("b", b, 0);
    T(kill(-getpid(), 0)); T(kill(-a, 0)); T(kill(a, 0)); T(kill(getpid(), 65)); T(kill(getpid(), -1)); T(kill(INT_MIN, 0)); T(kill(1 << 22, 0));
    T(syscall(SYS_tgkill, getpid(), getpid(), 0)); T(syscall(SYS_tgkill, getppid(), getpid(), 0)); T(syscall(SYS_tgkill, 0, 1, 0)); T(syscall(SYS_tgkill, getpid(), 0, 0));
    T(syscall(SYS_tkill, getpid(), 0)); T(syscall(SYS_tkill, -1, 0)); T(syscall(SYS_tkill, 1 << 22, 0));
    return 0;
}
static int denied(void) {
    pid_t root = getpid();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { T(setuid(1000)); T(kill(root, 0)); T(kill(root, SIGTERM)); T(kill(root, SIGCONT)); T(kill(getpid(), 0)); fflush(stdout); _exit(0); }
    j_wait("unprivileged", pid, 0);
    return 0;
}

int main(void) {
    pipe(p);
    J(counts); J(denied);
    return 0;
}
