// wait4 and waitid: arguments that are refused, and when there is nobody to wait for.
#include "job.h"
#include <sys/resource.h>

static int sleeper(void) { for (;;) pause(); return 0; }

int main(void) {
    int status;
    siginfo_t info;
    T(waitpid(-1, &status, 0)); T(waitpid(1 << 22, &status, 0)); T(waitpid(0, &status, 0));
    T(syscall(SYS_wait4, (long)INT_MIN, &status, 0, NULL));
    T(syscall(SYS_wait4, -1, &status, WNOWAIT, NULL));
    T(syscall(SYS_wait4, -1, &status, WEXITED, NULL));
    T(syscall(SYS_wait4, -1, &status, 0x100, NULL));
    T(waitid(P_ALL, 0, &info, 0)); T(waitid(P_ALL, 0, &info, WNOHANG)); T(waitid(P_ALL, 0, &info, WEXITED | 0x100));
    T(waitid(P_PID, 0, &info, WEXITED)); T(waitid(P_PID, -1, &info, WEXITED)); T(waitid(P_PGID, -1, &info, WEXITED));
    T(waitid(9, 1, &info, WEXITED)); T(waitid(P_ALL, 0, &info, WEXITED)); T(waitid(P_PGID, 0, &info, WEXITED));
    pid_t pid = j_start(sleeper);
    T(waitpid(-1, &status, WNOHANG)); T(waitpid(pid, &status, WNOHANG)); T(waitpid(getpid(), &status, WNOHANG));
    memset(&info, 0x55, sizeof info);
    T(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
    N(info.si_signo); N(info.si_code); N(info.si_pid); N(info.si_status);
    kill(pid, SIGTERM);
    T(waitid(P_PID, pid, NULL, WEXITED | WNOWAIT));
    T(waitid(P_PID, pid, BAD, WEXITED | WNOWAIT));
    T(syscall(SYS_wait4, pid, BAD, 0, NULL)); // and yet it is collected
    T(waitpid(pid, &status, 0));
    pid = j_start(sleeper);
    kill(pid, SIGKILL);
    struct rusage usage;
    memset(&usage, 0x55, sizeof usage);
    memset(&info, 0, sizeof info);
    T(syscall(SYS_waitid, P_PID, pid, &info, WEXITED, &usage));
    C(info.si_pid == pid && info.si_uid == getuid()); N(info.si_signo); N(info.si_code); N(info.si_status);
    C(usage.ru_utime.tv_sec == 0);
    return 0;
}
