// What execve keeps and what it resets.
#define T_INHERITS
#include "job.h"
#include <sys/resource.h>
#include <sys/time.h>

static void on(int s) { (void)s; }
static int child(void) {
    struct sigaction one, two;
    sigset_t mask, pending;
    stack_t stack;
    sigaction(SIGUSR1, NULL, &one), sigaction(SIGUSR2, NULL, &two);
    sigprocmask(SIG_SETMASK, NULL, &mask), sigpending(&pending), sigaltstack(NULL, &stack);
    C(one.sa_handler == SIG_DFL); C(two.sa_handler == SIG_IGN);
    C(sigismember(&mask, SIGHUP)); C(sigismember(&pending, SIGHUP)); C(stack.ss_flags == SS_DISABLE);
    T(fcntl(20, F_GETFD)); T(fcntl(21, F_GETFD));
    char name[16], cwd[100];
    prctl(PR_GET_NAME, name); C(strcmp(name, "renamed") != 0);
    S(getcwd(cwd, sizeof cwd)); N(umask(0));
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit); N(limit.rlim_cur);
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer); C(timer.it_value.tv_sec > 1000);
    N(getpriority(PRIO_PROCESS, 0));
    int signal = 0;
    prctl(PR_GET_PDEATHSIG, &signal); N(signal);
    T(prctl(PR_GET_DUMPABLE)); T(prctl(PR_GET_KEEPCAPS)); T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return 15;
}
static int runs(void) {
    signal(SIGUSR1, on), signal(SIGUSR2, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGHUP), sigprocmask(SIG_SETMASK, &mask, NULL);
    raise(SIGHUP);
    static char room[1 << 16];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    sigaltstack(&stack, NULL);
    dup2(1, 20), dup3(1, 21, O_CLOEXEC);
    prctl(PR_SET_NAME, "renamed"), chdir("/proc"), umask(0136);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_sec = 5000}, NULL);
    setpriority(PRIO_PROCESS, 0, 7);
    prctl(PR_SET_PDEATHSIG, SIGTERM), prctl(PR_SET_DUMPABLE, 0), prctl(PR_SET_KEEPCAPS, 1), prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    char *args[] = {"x", "y", NULL};
    execv("/proc/self/exe", args);
    return errno;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return child();
    J(runs);
    return 0;
}
