/* A thread's life, and a switch between two threads that both want to run. */
#include "bench.h"
#include <pthread.h>

static void *nothing(void *arg) { return arg; }

static void create_and_join(long n) {
    pthread_t thread;
    while (n--) {
        check(pthread_create(&thread, NULL, nothing, NULL) == 0, "pthread_create");
        check(pthread_join(thread, NULL) == 0, "pthread_join");
    }
}

static void *yielder(void *arg) {
    for (long n = (long)arg; n--;)
        sched_yield();
    return NULL;
}

/* Each of two threads yields n/2 times to the other. */
static void yield(long n) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, yielder, (void *)(n / 2)) == 0, "pthread_create");
    yielder((void *)(n / 2));
    check(pthread_join(thread, NULL) == 0, "pthread_join");
}

int main(int argc, char **argv) {
    start(argc, argv);
    measure("thread create + join", create_and_join);
    measure("context switch, sched_yield", yield);
    return 0;
}
