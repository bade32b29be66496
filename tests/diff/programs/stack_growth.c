// The stack grows with deep recursion, in the main thread and in others.
#include "t.h"
#include <sys/resource.h>

static int __attribute__((noinline)) depth(int n) {
    volatile char frame[1024];
    frame[0] = n;
    return n == 0 ? 0 : depth(n - 1) + (frame[0] == (char)n);
}
static void *thread(void *unused) {
    N(depth(6000));
    return unused;
}

int main(void) {
    N(depth(10));
    N(depth(7000)); // 7 MiB of the 8
    volatile char *low = __builtin_alloca(64 << 10);
    low[0] = 5;
    N(low[0]);
    pthread_t t;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 8 << 20);
    pthread_create(&t, &a, thread, NULL);
    pthread_join(t, NULL);
    struct rlimit limit;
    T(getrlimit(RLIMIT_STACK, &limit));
    N(limit.rlim_cur);
    return 0;
}
