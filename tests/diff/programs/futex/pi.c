// Priority-inheritance futexes: the word's protocol, errors, timeouts, dead owners, requeueing.
// diff: cpus=2; libc=glibc
#include "../t.h"
#include <linux/futex.h>
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static _Atomic uint32_t word, cond;
static long f(_Atomic uint32_t *a, int op, unsigned v, void *t, void *b, unsigned v3) { return syscall(SYS_futex, a, op | FUTEX_PRIVATE_FLAG, v, t, b, v3); }
static uint32_t tid(void) { return (uint32_t)syscall(SYS_gettid); }
static void show(const char *what) { uint32_t w = word; printf("%s: owner %s waiters %d died %d\n", what, (w & FUTEX_TID_MASK) == tid() ? "me" : w & FUTEX_TID_MASK ? "other" : "none", !!(w & FUTEX_WAITERS), !!(w & FUTEX_OWNER_DIED)); }
static struct timespec in(clockid_t c, long ms) {
    struct timespec t;
    clock_gettime(c, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}
static _Atomic int state;
static void *owner(void *u) {
    f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    state = 1;
    while (state == 1) t_sleep_ms(1);
    show("owner before unlock");
    f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    state = 3;
    return u;
}
static void *dies(void *u) { f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0); return u; }
static void *wait_requeue(void *u) {
    state++;
    long r = f(&cond, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word, 0);
    printf("wait_requeue: %ld %s\n", r, r ? t_name(errno) : "");
    show("after requeue");
    f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    return u;
}
int main(void) {
    struct timespec t;
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); show("locked");
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    T(f(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    T(f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)); show("unlocked");
    T(f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    word = 1 << 22;
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    T(f(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    word = FUTEX_OWNER_DIED;
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); show("after a death");
    T(f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    word = 0;
    T(syscall(SYS_futex, BAD, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    T(syscall(SYS_futex, (char *)&word + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    T(syscall(SYS_futex, (char *)&word + 1, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    t = (struct timespec){0, 1000000000};
    T(f(&word, FUTEX_LOCK_PI, 0, &t, NULL, 0));
    pthread_t p;
    pthread_create(&p, NULL, owner, NULL);
    while (state < 1) t_sleep_ms(1);
    show("owned by another");
    T(f(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    T(f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    t = in(CLOCK_REALTIME, 20);
    T(f(&word, FUTEX_LOCK_PI, 0, &t, NULL, 0));
    t = in(CLOCK_MONOTONIC, 20);
    T(f(&word, FUTEX_LOCK_PI2, 0, &t, NULL, 0));
    t = in(CLOCK_REALTIME, 20);
    T(syscall(SYS_futex, &word, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 0));
    show("after timeouts");
    state = 2;
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    pthread_join(p, NULL);
    printf("mine %d\n", (word & FUTEX_TID_MASK) == tid());
    f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    word = 0;
    // An owner that ends without unlocking, and is on no robust list.
    pthread_create(&p, NULL, dies, NULL);
    pthread_join(p, NULL);
    T(f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    word = 0;
    // Requeueing from a condition to the lock.
    T(f(&cond, FUTEX_WAIT_REQUEUE_PI, 1, NULL, &word, 0));
    t = in(CLOCK_MONOTONIC, 20);
    T(f(&cond, FUTEX_WAIT_REQUEUE_PI, 0, &t, &word, 0));
    T(f(&cond, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &cond, 0));
    T(f(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &cond, 0));
    T(f(&cond, FUTEX_CMP_REQUEUE_PI, 2, (void *)10, &word, 0));
    T(f(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &word, 5));
    T(f(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &word, 0));
    f(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    pthread_t w[2];
    state = 0;
    pthread_create(&w[0], NULL, wait_requeue, NULL);
    while (state < 1) t_sleep_ms(1);
    t_sleep_ms(30);
    T(f(&cond, FUTEX_REQUEUE, 0, (void *)1, &word, 0)); // not with the plain call
    T(f(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &word, 0));
    show("requeued");
    long unlocked = f(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    pthread_join(w[0], NULL);
    N(unlocked);
    show("free");
    // With the lock free, the first gets it at once.
    state = 0;
    pthread_create(&w[0], NULL, wait_requeue, NULL);
    while (state < 1) t_sleep_ms(1);
    t_sleep_ms(30);
    long requeued = f(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &word, 0);
    pthread_join(w[0], NULL);
    N(requeued);
    show("end");
    return 0;
}
