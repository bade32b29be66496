// CLONE_PARENT: the new process is a sibling.
#include "job.h"

static int maker(void) {
    fflush(stdout);
    pid_t mine = getpid(), parent = getppid();
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(getppid() == parent && getppid() != mine ? 17 : 18);
    T(waitpid(pid, NULL, 0));
    return 16;
}

int main(void) {
    pid_t pid = j_start(maker);
    j_wait("maker", pid, 0);
    int status;
    C(wait(&status) > 0);
    j_status("sibling", status);
    T(wait(NULL));
    return 0;
}
