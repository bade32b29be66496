// A directory of /proc in the place of a pidfd; what only some may ask for.
#include "../t.h"
#include <sys/timerfd.h>
#define SEND(fd, signal) syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0)
int main(void) {
    char path[64];
    pid_t child = fork();
    if (!child) { pause(); _exit(3); }
    snprintf(path, sizeof path, "/proc/%d", child);
    int directory = open(path, O_RDONLY | O_DIRECTORY), place = open(path, O_PATH);
    snprintf(path, sizeof path, "/proc/%d/task/%d", child, child);
    int task = open(path, O_RDONLY | O_DIRECTORY);
    T(SEND(directory, 0)); T(SEND(place, 0)); T(SEND(task, 0)); T(SEND(open("/proc", O_RDONLY), 0)); T(SEND(open("/proc/self/fd", O_RDONLY), 0));
    T(syscall(SYS_waitid, P_PIDFD, directory, NULL, WEXITED, NULL)); T(syscall(SYS_pidfd_getfd, directory, 0, 0));
    T(SEND(directory, 99)); T(SEND(directory, SIGTERM));
    int status;
    waitpid(child, &status, 0);
    N(WTERMSIG(status)); T(SEND(directory, 0));
    child = fork();
    if (!child) {
        // Equal undo lists: none (kcmp(2), KCMP_SYSVSEM).
        T(syscall(SYS_kcmp, getpid(), getppid(), 6, 0, 0));
        Z(timerfd_create(8, 0)); Z(timerfd_create(9, 0));
        if (setgid(65534) || setuid(65534)) _exit(1);
        T(timerfd_create(8, 0)); T(timerfd_create(9, 0)); T(timerfd_create(8, -1)); T(timerfd_create(10, 0));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    N(status);
    return 0;
}
