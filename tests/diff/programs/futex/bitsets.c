// WAIT_BITSET and WAKE_BITSET choose waiters; requeueing keeps order; WAKE_OP wakes both words.
// diff: libc=glibc
#include "../t.h"
#include <linux/futex.h>

static _Atomic uint32_t a, b, order[16], next, asleep;
static long f(_Atomic uint32_t *w, int op, unsigned v, void *t, void *o, unsigned v3) { return syscall(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, v, t, o, v3); }
struct job { unsigned bits; int name; };
static void *sleeper(void *p) {
    struct job *j = p;
    asleep++;
    f(&a, FUTEX_WAIT_BITSET, 0, NULL, NULL, j->bits);
    order[next++] = (uint32_t)j->name;
    return NULL;
}
static void start(pthread_t *t, struct job *j, int n) {
    asleep = next = 0;
    for (int i = 0; i < n; i++) { pthread_create(&t[i], NULL, sleeper, &j[i]); while (asleep <= (uint32_t)i) t_sleep_ms(1); t_sleep_ms(10); }
}
// Those that woke so far; who of two that were woken together runs first is nobody's promise.
static void until(uint32_t n) {
    for (int i = 0; i < 2000 && next < n; i++) t_sleep_ms(1);
    t_sleep_ms(5);
    for (uint32_t name = 1; name <= 5; name++)
        for (uint32_t i = 0; i < next; i++)
            if (order[i] == name) printf(" %u", name);
    puts("");
}
int main(void) {
    pthread_t t[5];
    struct job j[5] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {~0u, 5}};
    start(t, j, 5);
    T(f(&a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4)); until(2);
    T(f(&a, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2)); until(3);
    T(f(&a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 8)); until(3);
    T(f(&a, FUTEX_WAKE, 10, NULL, NULL, 0)); until(5);
    for (int i = 0; i < 5; i++) pthread_join(t[i], NULL);
    start(t, j, 5);
    T(f(&a, FUTEX_REQUEUE, 1, (void *)2, &b, 0)); until(1);
    T(f(&a, FUTEX_CMP_REQUEUE, 0, (void *)1, &b, 0)); until(1);
    T(f(&b, FUTEX_WAKE, 1, NULL, NULL, 0)); until(2);
    T(f(&b, FUTEX_WAKE, 1, NULL, NULL, 0)); until(3);
    T(f(&a, FUTEX_WAKE_OP, 5, (void *)5, &b, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0))); until(5);
    T(f(&b, FUTEX_WAKE, 5, NULL, NULL, 0)); until(5);
    for (int i = 0; i < 5; i++) pthread_join(t[i], NULL);
    return 0;
}
