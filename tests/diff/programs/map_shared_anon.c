// MAP_SHARED | MAP_ANONYMOUS between threads, and the limits of sparse shared memory.
#include "t.h"

static void *adder(void *counter) {
    for (int i = 0; i < 10000; i++) atomic_fetch_add((atomic_int *)counter, 1);
    return NULL;
}

int main(void) {
    char *p = P(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, adder, p + (1 << 19));
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(*(int *)(p + (1 << 19)));
    T(mprotect(p, PAGE, PROT_READ));
    N(p[0]);
    T(munmap(p, 1 << 19));
    N(*(int *)(p + (1 << 19)));
    T(madvise(p + (1 << 19), PAGE, MADV_REMOVE));
    N(*(int *)(p + (1 << 19)));
    char *big = P(mmap(NULL, 1ul << 32, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    big[1ul << 31] = 3;
    N(big[1ul << 31] + big[0] + big[(1ul << 32) - 1]);
    int zero = open("/dev/zero", O_RDWR);
    char *z = P(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0));
    z[0] = 1;
    z = P(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0));
    N(z[0]);
    return 0;
}
