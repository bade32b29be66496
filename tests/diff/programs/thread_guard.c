// A thread that overruns its stack dies on the guard page, and the process with it: 139.
#include "t.h"

static volatile int sink;
static int __attribute__((noinline)) endless(int n) {
    volatile char frame[512];
    frame[n & 511] = n;
    return endless(n + 1) + frame[n & 511] + sink;
}
static void *thread(void *unused) {
    puts("overrunning");
    endless(0);
    return unused;
}

int main(void) {
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    puts("not reached");
    return 0;
}
