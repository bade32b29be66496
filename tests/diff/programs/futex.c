// futex: WAIT, WAKE, BITSET, REQUEUE, CMP_REQUEUE, WAKE_OP and their errors.
// diff: cpus=2
#include "t.h"
enum { WAIT, WAKE, FD, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET };
#define PRIVATE 128
#define CLOCK_REAL 256
#define F(word, op, value, time, second, third) syscall(SYS_futex, word, op, value, time, second, third)

static int a, b;
static atomic_int woken, waiting;
static void *waiter(void *mask) {
    waiting++;
    long r = mask ? F(&a, WAIT_BITSET | PRIVATE, 0, NULL, NULL, (long)mask) : F(&a, WAIT | PRIVATE, 0, NULL, NULL, 0L);
    woken += r == 0 ? 1 : 1000;
    return NULL;
}
static pthread_t t[4];
static void four(long m1, long m2) {
    woken = waiting = 0;
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, waiter, (void *)(i < 2 ? m1 : m2));
    while (waiting < 4) usleep(1000);
    t_sleep_ms(50);
}
static void expect(int n) {
    while (woken < n) usleep(1000);
    t_sleep_ms(10);
    N(woken);
}
static void join(void) { for (int i = 0; i < 4; i++) pthread_join(t[i], NULL); }

int main(void) {
    struct timespec zero = {0, 0}, some = {0, 10000000}, bad = {0, 1000000000}, negative = {-1, 0};
    T(F(&a, WAIT, 1, NULL, NULL, 0L));
    T(F(&a, WAIT, 0, &zero, NULL, 0L));
    T(F(&a, WAIT, 0, &some, NULL, 0L));
    T(F(&a, WAIT, 0, &bad, NULL, 0L));
    T(F(&a, WAIT, 0, &negative, NULL, 0L));
    T(F(&a, WAIT_BITSET, 0, &zero, NULL, 0L));
    T(F(&a, WAIT_BITSET, 0, &zero, NULL, 1L));
    T(F(&a, WAIT_BITSET | CLOCK_REAL, 0, &some, NULL, 1L));
    T(F(&a, WAKE | CLOCK_REAL, 0, NULL, NULL, 0L));
    T(F(&a, WAKE_BITSET, 1, NULL, NULL, 0L));
    T(F(&a, WAKE, 1, NULL, NULL, 0L));
    T(F(&a, 99, 1, NULL, NULL, 0L));
    T(F(&a, FD, 1, NULL, NULL, 0L));
    T(F((char *)&a + 2, WAIT, 0, NULL, NULL, 0L));
    T(F(NULL, WAIT, 0, NULL, NULL, 0L));
    four(0, 0);
    T(F(&a, WAKE | PRIVATE, 1, NULL, NULL, 0L)); expect(1);
    T(F(&a, WAKE | PRIVATE, 2, NULL, NULL, 0L)); expect(3);
    T(F(&a, WAKE | PRIVATE, INT_MAX, NULL, NULL, 0L)); expect(4);
    join();
    four(1, 2);
    T(F(&a, WAKE_BITSET | PRIVATE, 10, NULL, NULL, 4L));
    T(F(&a, WAKE_BITSET | PRIVATE, 10, NULL, NULL, 2L)); expect(2);
    T(F(&a, WAKE | PRIVATE, 10, NULL, NULL, 0L)); expect(4);
    join();
    four(0, 0);
    T(F(&a, CMP_REQUEUE | PRIVATE, 1, 2L, &b, 99L));
    T(F(&a, CMP_REQUEUE | PRIVATE, 1, 2L, &b, 0L)); expect(1);
    T(F(&b, WAKE | PRIVATE, 10, NULL, NULL, 0L)); expect(3);
    T(F(&a, REQUEUE | PRIVATE, 0, 10L, &b, 0L));
    T(F(&a, WAKE | PRIVATE, 10, NULL, NULL, 0L));
    T(F(&b, WAKE | PRIVATE, 10, NULL, NULL, 0L)); expect(4);
    join();
    four(0, 0);
    b = 5;
    T(F(&b, WAKE_OP | PRIVATE, 0, 2L, &a, (long)(0 << 28 | 0 << 24 | 0 << 12 | 1))); // set a to 0, wake on a if it was 1
    T(F(&b, WAKE_OP | PRIVATE, 1, 2L, &a, (long)(1 << 28 | 0 << 24 | 7 << 12 | 0))); // add 7 to a, wake if it was 0
    N(a); expect(2);
    a = 0;
    T(F(&a, WAKE | PRIVATE, 10, NULL, NULL, 0L)); expect(4);
    join();
    T(F(&a, WAKE_OP | PRIVATE, 0, 2L, &a, (long)(9u << 24))); // a comparison that does not exist
    return 0;
}
