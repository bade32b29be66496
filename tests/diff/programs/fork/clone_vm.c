// CLONE_VM without CLONE_VFORK: two processes in one memory, at the same time.
// diff: cpus=2
#include "job.h"
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

static char stack[2][64 << 10];
static atomic_int turn, value;
static int other(void *unused) {
    (void)unused;
    value = 10;
    turn = 1;
    syscall(SYS_futex, &turn, FUTEX_WAKE, 1, NULL, NULL, 0); // not private: different processes, same memory
    while (turn != 2) sched_yield();
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(int *)page = 99;
    *(void *_Atomic *)stack[1] = page;
    turn = 3;
    while (turn != 4) sched_yield();
    return value;
}
static int ender(void *unused) { (void)unused; syscall(SYS_exit_group, 23); return 0; }
static int grand(void *unused) {
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) _exit(value == 17 ? 4 : 5);
    int status;
    waitpid(pid, &status, 0);
    value = 18;
    return WEXITSTATUS(status);
}
static int runner(void *exe) {
    char *args[] = {"x", "y", NULL};
    execv(exe, args);
    return 1;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return 31;
    pid_t pid = clone(other, stack[0] + sizeof stack[0], CLONE_VM | SIGCHLD, NULL);
    C(pid > 0 && pid != getpid());
    while (turn == 0) syscall(SYS_futex, &turn, FUTEX_WAIT, 0, NULL, NULL, 0);
    N(value);
    value = 16;
    turn = 2;
    while (turn != 3) sched_yield();
    N(**(int *_Atomic *)stack[1]);
    turn = 4;
    j_wait("shared", pid, 0);
    j_wait("exit_group", clone(ender, stack[0] + sizeof stack[0], CLONE_VM | SIGCHLD, NULL), 0);
    value = 17;
    j_wait("forks", clone(grand, stack[0] + sizeof stack[0], CLONE_VM | SIGCHLD, NULL), 0);
    N(value);
    pid = clone(runner, stack[0] + sizeof stack[0], CLONE_VM | SIGCHLD, "/proc/self/exe");
    j_wait("executes", pid, 0);
    N(value);
    // The parent may go first: its memory stays for the child.
    fflush(stdout);
    int p[2];
    pipe(p);
    if (fork() == 0) {
        turn = 0;
        static atomic_int words[2];
        words[0] = p[1];
        int late(void *unused) {
            (void)unused;
            while (turn == 0) sched_yield();
            t_sleep_ms(30);
            j_tell(words[0]);
            return 0;
        }
        clone(late, stack[0] + sizeof stack[0], CLONE_VM | SIGCHLD, NULL);
        turn = 1;
        _exit(0);
    }
    j_await(p[0]);
    puts("outlived");
    return 0;
}
