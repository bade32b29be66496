// Forks of forks, orphans, vfork and execve, fork from a process with threads.
#include "t.h"

static void *idle(void *unused) { for (;;) pause(); return unused; }
static int depth(int n) {
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(n == 0 ? 1 : 1 + depth(n - 1));
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    if (argc > 1) _exit(atoi(argv[1]));
    int status, p[2];
    fflush(stdout);
    N(depth(8));
    pipe(p);
    pid_t middle = fork();
    if (middle == 0) {
        pid_t me = getpid();
        if (fork() == 0) { // an orphan gets another parent
            while (getppid() == me) usleep(1000);
            write(p[1], "orphan", 6);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(middle, &status, 0);
    char b[8] = "";
    T(read(p[0], b, 6)); S(b);
    pid_t child = vfork();
    if (child == 0) { execv(argv[0], (char *[]){argv[0], "61", NULL}); _exit(1); }
    waitpid(child, &status, 0);
    N(WEXITSTATUS(status));
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, NULL, idle, NULL);
    child = fork();
    if (child == 0) _exit(syscall(SYS_gettid) == getpid() ? 8 : 9); // the forking thread alone lives on
    waitpid(child, &status, 0);
    N(WEXITSTATUS(status));
    return 0;
}
