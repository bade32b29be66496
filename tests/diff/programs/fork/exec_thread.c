// execve from another thread than the first: the process id stays, the other threads end.
// diff: cpus=2
#include "job.h"

static char id[20];
static void *spin(void *unused) { (void)unused; for (;;) sched_yield(); return NULL; }
static void *sleeps(void *unused) { (void)unused; for (;;) pause(); return NULL; }
static void *executes(void *exe) {
    char *args[] = {exe, id, NULL};
    execv("/proc/self/exe", args);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        C(atoi(argv[1]) == getpid() && syscall(SYS_gettid) == getpid());
        char path[40];
        sprintf(path, "/proc/self/task/%d/comm", getpid());
        C(access(path, F_OK) == 0);
        sigset_t mask;
        sigprocmask(SIG_SETMASK, NULL, &mask);
        C(sigismember(&mask, SIGUSR1));
        return 12;
    }
    fflush(stdout);
    for (int round = 0; round < 6; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            sigset_t set;
            sigemptyset(&set), sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            sprintf(id, "%d", getpid());
            pthread_t t;
            pthread_create(&t, NULL, spin, NULL), pthread_create(&t, NULL, sleeps, NULL);
            // Several want at once: one of them wins.
            for (int i = 0; i <= round / 2; i++) pthread_create(&t, NULL, executes, argv[0]);
            sleeps(NULL);
        }
        j_wait("process", pid, 0);
    }
    return 0;
}
