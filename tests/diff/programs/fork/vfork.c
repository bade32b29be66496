// vfork: the child runs in the parent's memory, and the parent waits until it executes a program or ends.
// diff: cpus=2
#include "job.h"

static volatile int shared;

int main(int argc, char **argv) {
    if (argc > 1) return puts("executed"), 5;
    int status;
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) { shared = 42; _exit(7); }
    N(shared);
    j_wait("exit", pid, 0);
    char *args[] = {argv[0], "x", NULL};
    pid = vfork();
    if (pid == 0) { shared = 43; execv("/proc/self/exe", args); _exit(1); }
    j_wait("exec", pid, 0);
    N(shared);
    pid = vfork();
    if (pid == 0) { execv("/nonexistent", args); shared = errno; _exit(9); }
    S(t_name(shared));
    j_wait("failed exec", pid, 0);
    pid = vfork();
    if (pid == 0) { shared = 44; kill(getpid(), SIGKILL); }
    N(shared);
    j_wait("killed", pid, 0);
    // Files and handlers are the child's own.
    pid = vfork();
    if (pid == 0) { close(0); signal(SIGUSR1, SIG_IGN); chdir("/"); umask(077); _exit(0); }
    T(waitpid(pid, &status, 0) == pid);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    C(action.sa_handler == SIG_DFL);
    C(umask(022) != 077);
    C(getppid() != pid);
    for (int i = 0; i < 50; i++) {
        pid = vfork();
        if (pid == 0) { shared += 1; _exit(i); }
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != i) return 1;
    }
    N(shared);
    return 0;
}
