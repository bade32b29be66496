// futex_waitv: waiting for one of several words, and its errors.
// diff: cpus=2; libc=glibc
#include "../t.h"
#include <linux/futex.h>
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct waiter { uint64_t val, uaddr; uint32_t flags, reserved; };
static _Atomic uint32_t words[130];
static struct waiter w[130];
static long waitv(void *a, unsigned n, unsigned flags, void *t, int clock) { return syscall(SYS_futex_waitv, a, n, flags, t, clock); }
static void fill(int n) { for (int i = 0; i < n; i++) w[i] = (struct waiter){0, (uintptr_t)&words[i], 2 | 128, 0}; }
static void *waker(void *arg) {
    int i = (int)(long)arg;
    t_sleep_ms(30);
    words[i] = 1;
    for (int tries = 0; tries < 500; tries++) {
        if (syscall(SYS_futex, &words[i], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 1) break;
        t_sleep_ms(1);
    }
    return NULL;
}
static void nothing(int s) { (void)s; }
int main(void) {
    struct timespec past = {0, 1}, bad = {0, 1000000000}, t;
    fill(130);
    T(waitv(w, 0, 0, NULL, CLOCK_MONOTONIC));
    T(waitv(w, 129, 0, NULL, CLOCK_MONOTONIC));
    T(waitv(NULL, 1, 0, NULL, CLOCK_MONOTONIC));
    T(waitv(BAD, 1, 0, NULL, CLOCK_MONOTONIC));
    T(waitv(w, 1, 1, NULL, CLOCK_MONOTONIC));
    T(waitv(w, 1, 0, &past, CLOCK_BOOTTIME));
    T(waitv(w, 1, 0, &past, 99));
    T(waitv(w, 1, 0, &bad, CLOCK_MONOTONIC));
    T(waitv(w, 1, 0, BAD, CLOCK_MONOTONIC));
    T(waitv(w, 1, 0, &past, CLOCK_MONOTONIC));
    T(waitv(w, 128, 0, &past, CLOCK_REALTIME));
    w[0].reserved = 1;
    T(waitv(w, 1, 0, &past, CLOCK_MONOTONIC));
    fill(2);
    for (unsigned flags = 0; flags < 4; flags++) { w[0].flags = flags; printf("flags %u: ", flags); T(waitv(w, 1, 0, &past, CLOCK_MONOTONIC)); }
    w[0].flags = 2 | 128 | 0x100;
    T(waitv(w, 1, 0, &past, CLOCK_MONOTONIC));
    fill(2);
    w[1].val = 5;
    T(waitv(w, 2, 0, NULL, CLOCK_MONOTONIC));
    w[1].val = 1ull << 32;
    T(waitv(w, 2, 0, NULL, CLOCK_MONOTONIC));
    w[1] = (struct waiter){0, (uintptr_t)&words[1] + 1, 2 | 128, 0};
    T(waitv(w, 2, 0, NULL, CLOCK_MONOTONIC));
    w[1].uaddr = 8;
    T(waitv(w, 2, 0, NULL, CLOCK_MONOTONIC));
    fill(8);
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += 5;
    pthread_t p;
    for (long i = 0; i < 8; i += 3) {
        pthread_create(&p, NULL, waker, (void *)i);
        T(waitv(w, 8, 0, &t, CLOCK_MONOTONIC));
        pthread_join(p, NULL);
        words[i] = 0;
    }
    T(syscall(SYS_futex, &words[1], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0)); // nobody is left
    t_handle(SIGALRM, nothing, 0);
    struct itimerval v = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &v, NULL);
    T(waitv(w, 8, 0, NULL, 0));
    return 0;
}
