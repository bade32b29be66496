// futex(2): arguments, errors and the order in which they are found.
// diff: libc=glibc
#include "../t.h"
#include <linux/futex.h>

static uint32_t words[4];
static long f(void *a, int op, unsigned v, void *t, void *b, unsigned v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
#define W (&words[0])
#define X (&words[1])
int main(void) {
    struct timespec t = {0, 1000000}, bad = {0, 1000000000}, negative = {-1, 0}, past = {0, 1};
    T(f(W, FUTEX_WAIT, 1, NULL, NULL, 0));
    T(f(W, FUTEX_WAIT, 0, &t, NULL, 0));
    T(f(W, FUTEX_WAIT, 0, &bad, NULL, 0));
    T(f(W, FUTEX_WAIT, 0, &negative, NULL, 0));
    T(f(W, FUTEX_WAIT, 0, BAD, NULL, 0));
    T(f((char *)W + 1, FUTEX_WAIT, 0, &t, NULL, 0));
    T(f((char *)W + 2, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(f(BAD, FUTEX_WAIT, 0, &t, NULL, 0));
    T(f(NULL, FUTEX_WAIT, 0, &t, NULL, 0));
    T(f(NULL, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(f(NULL, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    T(f(KERNEL, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    T(f(KERNEL, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, &t, NULL, 0));
    T(f(W, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 0));
    T(f(W, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, &t, NULL, 0));
    T(f(W, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    T(f(W, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    T(f(W, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    T(f(W, FUTEX_CMP_REQUEUE | FUTEX_CLOCK_REALTIME, 0, NULL, X, 0));
    T(f(W, FUTEX_WAIT_BITSET, 0, &t, NULL, 0));
    T(f(W, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    T(f(W, FUTEX_WAIT_BITSET, 0, &past, NULL, 1));
    T(f(W, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0u));
    T(f(W, FUTEX_WAIT_BITSET, 1, &past, NULL, ~0u));
    T(f(W, FUTEX_WAIT_BITSET, 0, &bad, NULL, ~0u));
    T(f(W, FUTEX_WAKE, 0, NULL, NULL, 0));
    T(f(W, FUTEX_WAKE, -1, NULL, NULL, 0));
    T(f(W, 2, 0, NULL, NULL, 0)); // FUTEX_FD
    for (int op = 13; op < 18; op++) { printf("op %d: ", op); T(f(W, op, 0, &past, NULL, 0)); words[0] = 0; }
    T(f(W, 127, 0, NULL, NULL, 0));
    T(f(W, FUTEX_REQUEUE, 1, (void *)1, X, 0));
    T(f(W, FUTEX_REQUEUE, -1, (void *)1, X, 0));
    T(f(W, FUTEX_REQUEUE, 1, (void *)-1l, X, 0));
    T(f(W, FUTEX_REQUEUE, 1, (void *)1, (char *)X + 1, 0));
    T(f(W, FUTEX_REQUEUE, 1, (void *)1, NULL, 0));
    T(f(W, FUTEX_CMP_REQUEUE, 1, (void *)1, X, 7));
    T(f(W, FUTEX_CMP_REQUEUE, 1, (void *)1, X, 0));
    T(f(W, FUTEX_CMP_REQUEUE, 1, (void *)1, W, 0));
    T(f(BAD, FUTEX_CMP_REQUEUE, 1, (void *)1, X, 0));
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_GT, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 8, FUTEX_OP_CMP_NE, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LE, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(FUTEX_OP_XOR, 0xff, FUTEX_OP_CMP_GE, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(6, 1, 0, 0)));
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, X, FUTEX_OP(0, 1, 7, 0)));
    N(words[1]);
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, BAD, FUTEX_OP(0, 1, 0, 0)));
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, (char *)X + 1, FUTEX_OP(0, 1, 0, 0)));
    char *ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(f(ro, FUTEX_WAIT, 0, &t, NULL, 0));
    T(f(ro, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &t, NULL, 0));
    T(f(ro, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(f(W, FUTEX_WAKE_OP, 1, (void *)1, ro, FUTEX_OP(0, 1, 0, 0)));
    mprotect(ro, PAGE, PROT_NONE);
    T(f(ro, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &t, NULL, 0));
    T(f(ro, FUTEX_WAKE, 1, NULL, NULL, 0));
    munmap(ro, PAGE);
    T(f(ro, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(f(ro, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    T(syscall(SYS_set_robust_list, NULL, 23L));
    T(syscall(SYS_set_robust_list, NULL, 24L));
    void *head; size_t len;
    T(syscall(SYS_get_robust_list, 0, &head, &len)); N(len);
    T(syscall(SYS_get_robust_list, 0, BAD, &len));
    T(syscall(SYS_get_robust_list, 0, &head, BAD));
    T(syscall(SYS_get_robust_list, 1 << 22, &head, &len));
    T(syscall(SYS_get_robust_list, -1, &head, &len));
    return 0;
}
