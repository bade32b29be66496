// Anonymous mappings: zero, private or shared, any size; every error of mmap and munmap.
#include "t.h"

int main(void) {
    t_scratch();
    int file = t_file("file", "0123456789"), r = open("file", O_RDONLY), w = open("file", O_WRONLY), dir = open(".", O_RDONLY);
    int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = P(mmap(NULL, 10 * PAGE, rw, anon, -1, 0));
    long sum = 0;
    for (unsigned i = 0; i < 10 * PAGE; i++) sum += p[i];
    N(sum);
    C((uintptr_t)p % PAGE == 0);
    memset(p, 7, 10 * PAGE);
    T(munmap(p, 10 * PAGE));
    P(mmap(NULL, 0, rw, anon, -1, 0));
    P(mmap(NULL, PAGE, rw, MAP_ANONYMOUS, -1, 0));
    P(mmap(NULL, PAGE, rw, MAP_PRIVATE, -1, 0));
    P(mmap(NULL, PAGE, rw, MAP_SHARED, 999, 0));
    P(mmap(NULL, PAGE, rw, MAP_SHARED, r, 0));
    P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, w, 0));
    P(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0));
    P(mmap(NULL, PAGE, rw, MAP_PRIVATE, r, 0));
    P(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
    T(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 100L) == -1 ? -1 : 0);
    T(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 1L << 63) == -1 ? -1 : 0);
    P(mmap((void *)1, PAGE, rw, anon | MAP_FIXED, -1, 0));
    P(mmap(KERNEL, PAGE, rw, anon | MAP_FIXED, -1, 0));
    P(mmap((void *)(0x800000000000 - PAGE), PAGE, rw, anon | MAP_FIXED, -1, 0));
    P(mmap(NULL, 1ul << 47, rw, anon | MAP_NORESERVE, -1, 0));
    P(mmap(NULL, ~0ul, rw, anon, -1, 0));
    P(mmap(KERNEL, PAGE, rw, anon, -1, 0)); // a hint may be nonsense
    T(munmap(p + 1, PAGE));
    T(munmap(p, 0));
    T(munmap(KERNEL, PAGE));
    T(munmap(p, ~0ul << 12));
    T(munmap(p, PAGE)); // nothing there, no error
    char *big = P(mmap(NULL, 1ul << 34, rw, anon | MAP_NORESERVE, -1, 0));
    big[(1ul << 34) - 1] = 1;
    big[1ul << 33] = 2;
    N(big[(1ul << 34) - 1] + big[1ul << 33] + big[12345]);
    T(munmap(big, 1ul << 34));
    char *q = P(mmap(NULL, 1, rw, anon | MAP_POPULATE, -1, 0));
    q[4095] = 1;
    P(mmap(NULL, PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    P(mmap(NULL, PAGE, rw | PROT_EXEC, anon | MAP_STACK | MAP_GROWSDOWN, -1, 0));
    P(mmap(NULL, PAGE, PROT_NONE, anon, -1, 0));
    return 0;
}
