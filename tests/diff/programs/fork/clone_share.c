// CLONE_FILES, CLONE_FS and CLONE_SIGHAND between processes; unshare(2) ends them.
#define T_INHERITS
#include "job.h"

static char stack[64 << 10];
static int changes(void *unused) {
    (void)unused;
    dup2(1, 50);
    chdir("/");
    umask(0123);
    signal(SIGUSR1, SIG_IGN);
    return 1;
}
static int unshares(void *unused) {
    (void)unused;
    if (unshare(CLONE_FILES | CLONE_FS) != 0) return 9;
    close(50);
    chdir("/proc");
    umask(0777);
    return 2;
}
static int executes(void *exe) { char *args[] = {"x", "y", NULL}; execv(exe, args); return 1; }
static void show(const char *what) {
    char cwd[200];
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    int mask = umask(0);
    umask(mask);
    printf("%s: fd50 %s, cwd %s, umask %o, USR1 %s\n", what, fcntl(50, F_GETFD) == -1 ? "closed" : "open", strcmp(getcwd(cwd, sizeof cwd), "/") ? "other" : "/",
           mask, a.sa_handler == SIG_IGN ? "ignored" : "default");
}
static int cloned(int (*run)(void *), int flags, void *arg) {
    pid_t pid = clone(run, stack + sizeof stack, CLONE_VM | flags | SIGCHLD, arg);
    j_wait("child", pid, 0);
    return pid;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return fcntl(51, F_GETFD) == -1 ? 12 : 13;
    t_scratch();
    cloned(changes, 0, NULL);
    show("nothing");
    cloned(changes, CLONE_FS, NULL);
    show("FS");
    t_scratch();
    cloned(changes, CLONE_FILES, NULL);
    show("FILES");
    close(50);
    cloned(changes, CLONE_SIGHAND, NULL);
    show("SIGHAND");
    signal(SIGUSR1, SIG_DFL);
    cloned(changes, CLONE_FILES | CLONE_FS | CLONE_SIGHAND, NULL);
    show("all");
    cloned(unshares, CLONE_FILES | CLONE_FS, NULL);
    show("unshared");
    // execve: the table is the program's own, what closes on exec closes there only.
    T(fcntl(50, F_DUPFD_CLOEXEC, 51));
    cloned(executes, CLONE_FILES | CLONE_SIGHAND, "/proc/self/exe");
    T(fcntl(51, F_GETFD));
    T(unshare(1 << 30 | 1));
    T(unshare(CLONE_VM)); T(unshare(CLONE_THREAD)); T(unshare(CLONE_SIGHAND)); T(unshare(CLONE_SYSVSEM));
    return 0;
}
