// The core-dump bit of the status follows the signal, RLIMIT_CORE and PR_SET_DUMPABLE.
#include "../t.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static void die(const char *what, int signal, int limit, int dumpable) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit l = {limit ? 1 << 20 : 0, RLIM_INFINITY};
        setrlimit(RLIMIT_CORE, &l);
        prctl(PR_SET_DUMPABLE, dumpable);
        if (signal == SIGSEGV) *(volatile int *)8 = 1;
        kill(getpid(), signal);
        _exit(3);
    }
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    waitpid(pid, &status, 0);
    printf("%s %d: code %d status %d exited %d signalled %d\n", what, signal, limit ? -1 : info.si_code, info.si_status, WIFEXITED(status), WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (!limit) printf("  core %d\n", !!WCOREDUMP(status));
}
int main(void) {
    static const int signals[] = {SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ, SIGTERM, SIGKILL, SIGPIPE, SIGALRM, SIGHUP,
        SIGINT, SIGUSR1, SIGUSR2, SIGIO, SIGPROF, SIGVTALRM, SIGSTKFLT, SIGPWR, 34, 64, SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) die("no core", signals[i], 0, 1);
    return 0;
}
