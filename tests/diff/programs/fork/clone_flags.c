// clone(2): combinations of flags that are refused, and the words that it writes.
#include "job.h"

#define RAW(flags) syscall(SYS_clone, (long)(flags), 0, 0, 0, 0)

static int tried(void) {
    T(RAW(CLONE_SIGHAND | SIGCHLD));
    T(RAW(CLONE_THREAD | SIGCHLD));
    T(RAW(CLONE_THREAD | CLONE_VM));
    T(RAW(CLONE_NEWNS | CLONE_FS | SIGCHLD));
    T(RAW(CLONE_NEWUSER | CLONE_FS | SIGCHLD));
    T(RAW(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD));
    T(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, BAD, 0, 0));
    T(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, BAD, 0, 0));
    T(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, KERNEL));
    T(wait(NULL));
    return 0;
}

int main(void) {
    J(tried);
    int tid = 0, own = 0;
    fflush(stdout);
    long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &tid, &own, 0);
    if (pid == 0) _exit(own == getpid() && own == syscall(SYS_gettid) && tid == own ? 4 : 5);
    C(tid == pid); N(own);
    j_wait("words", pid, 0);
    // Bad words are no error.
    pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, BAD, BAD, 0);
    if (pid == 0) _exit(6);
    j_wait("bad words", pid, 0);
    // CLONE_CHILD_CLEARTID in memory that both see.
    int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *shared = 1;
    pid = syscall(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, shared, 0);
    if (pid == 0) _exit(0);
    j_wait("set", pid, 0);
    C(*shared == pid);
    // Other signals than SIGCHLD, and none: __WCLONE and __WALL.
    signal(SIGUSR1, SIG_IGN);
    pid = RAW(SIGUSR1);
    if (pid == 0) _exit(1);
    j_wait("not SIGCHLD", pid, 0);
    j_wait("__WCLONE", pid, __WCLONE);
    pid = RAW(0);
    if (pid == 0) _exit(2);
    j_wait("no signal", pid, WNOHANG);
    j_wait("__WALL", pid, __WALL);
    pid = RAW(SIGCHLD);
    if (pid == 0) _exit(3);
    j_wait("SIGCHLD with __WCLONE", pid, __WCLONE);
    j_wait("SIGCHLD", pid, 0);
    return 0;
}
