// fork and the wait family: pids, statuses, WNOHANG, no children left.
#include "t.h"

int main(void) {
    int status;
    siginfo_t info;
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0) _exit(getppid() == parent && getpid() != parent ? 42 : 1);
    C(child > 0 && child != parent);
    C(waitpid(child, &status, 0) == child);
    N(WIFEXITED(status)); N(WEXITSTATUS(status));
    T(waitpid(child, &status, 0));
    T(wait(&status));
    int p[2];
    pipe(p);
    child = fork();
    if (child == 0) { read(p[0], (char[1]){0}, 1); _exit(0x1ff); }
    T(waitpid(child, &status, WNOHANG));
    write(p[1], "x", 1);
    memset(&info, 0, sizeof info);
    T(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    C(info.si_pid == child); N(info.si_signo); N(info.si_code); N(info.si_status);
    C(waitpid(-1, &status, 0) == child);
    N(WEXITSTATUS(status));
    for (int i = 0; i < 20; i++) if (fork() == 0) _exit(i);
    int sum = 0, n = 0;
    while (wait(&status) > 0) sum += WEXITSTATUS(status), n++;
    N(n); N(sum);
    C(errno == ECHILD);
    signal(SIGCHLD, SIG_IGN); // children of those who ignore it leave no zombies
    if (fork() == 0) _exit(3);
    T(wait(&status));
    return 0;
}
