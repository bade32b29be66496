/* Lives of processes: exec, a pipe between two of them on one processor, and fork.
 * Second argument: a program that ends at once. The others: MiB that are touched before a fork. */
#include "bench.h"
#include <sys/wait.h>

static void await(pid_t child) {
    int status;
    check(child > 0, "fork");
    check(waitpid(child, &status, 0) == child, "waitpid");
    errno = 0;
    check(status == 0, "a child failed");
}

static void fork_and_exit(long n) {
    while (n--) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        await(child);
    }
}

static char *program;

static void fork_and_exec(long n) {
    while (n--) {
        pid_t child = fork();
        if (child == 0) {
            execl(program, program, (char *)NULL);
            _exit(1);
        }
        await(child);
    }
}

static int there[2], back[2];

/* An operation is one way. */
static void ping_pong(long n) {
    long rounds = (n + 1) / 2;
    char byte = 0;
    pid_t child = fork();
    if (child == 0) {
        while (rounds--)
            if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
                _exit(1);
        _exit(0);
    }
    while (rounds--) {
        check(write(there[1], &byte, 1) == 1, "write");
        check(read(back[0], &byte, 1) == 1, "read");
    }
    await(child);
}

static void touch(long mib) {
    size_t len = mib << 20;
    char *memory = malloc(len);
    check(memory != NULL, "malloc");
    memset(memory, 1, len);
    /* The compiler is not to know that nobody looks. */
    __asm__ volatile("" : : "r"(memory) : "memory");
}

int main(int argc, char **argv) {
    start(argc, argv);
    check(argc > 2, "usage: processes MILLISECONDS PROGRAM MIB…");
    program = argv[2];
    measure("fork + exec + wait", fork_and_exec);
    cpu_set_t all, one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    check(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    check(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    measure("pipe between processes on one CPU, one way", ping_pong);
    check(sched_setaffinity(0, sizeof all, &all) == 0, "sched_setaffinity");
    for (int i = 3; i < argc; i++) {
        char name[64];
        touch(atol(argv[i]));
        snprintf(name, sizeof name, "fork + exit + wait, %s MiB touched", argv[i]);
        measure(name, fork_and_exit);
    }
    return 0;
}
