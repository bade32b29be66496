/* Two threads hand each other the turn. An operation is one hand-over: one way.
 * Second argument: `together`, the scheduler's choice; `across`, on processors 0 and 1. */
#include "bench.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

static const char *place;
static int across;

static void pin(int cpu) {
    if (!across)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        printf("note ping-pong across: threads cannot be pinned: %s\n", strerror(errno));
        fflush(stdout);
        across = 0;
    }
}

/* Runs `partner` on the second processor while `own` runs on the first. */
static void both(void (*own)(long), void *(*partner)(void *), long rounds) {
    pthread_t thread;
    pin(0);
    check(pthread_create(&thread, NULL, partner, (void *)rounds) == 0, "pthread_create");
    own(rounds);
    check(pthread_join(thread, NULL) == 0, "pthread_join");
}

static int turn;

static void await_turn(int mine) {
    for (int seen; (seen = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine;)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL);
}

static void pass_turn(int theirs) {
    __atomic_store_n(&turn, theirs, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
}

static void futex_own(long rounds) {
    while (rounds--) {
        pass_turn(1);
        await_turn(0);
    }
}

static void *futex_partner(void *arg) {
    pin(1);
    for (long rounds = (long)arg; rounds--;) {
        await_turn(1);
        pass_turn(0);
    }
    return NULL;
}

static void futex_one_way(long n) {
    both(futex_own, futex_partner, (n + 1) / 2);
}

static int there[2], back[2];

static void pipe_own(long rounds) {
    char byte = 0;
    while (rounds--) {
        check(write(there[1], &byte, 1) == 1, "write");
        check(read(back[0], &byte, 1) == 1, "read");
    }
}

static void *pipe_partner(void *arg) {
    char byte;
    pin(1);
    for (long rounds = (long)arg; rounds--;) {
        check(read(there[0], &byte, 1) == 1, "read");
        check(write(back[1], &byte, 1) == 1, "write");
    }
    return NULL;
}

static void pipe_one_way(long n) {
    both(pipe_own, pipe_partner, (n + 1) / 2);
}

int main(int argc, char **argv) {
    start(argc, argv);
    check(argc > 2, "usage: pingpong MILLISECONDS together|across");
    place = argv[2];
    across = strcmp(place, "across") == 0;
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    char name[64];
    snprintf(name, sizeof name, "futex hand-over, %s", place);
    measure(name, futex_one_way);
    snprintf(name, sizeof name, "pipe hand-over, %s", place);
    measure(name, pipe_one_way);
    return 0;
}
