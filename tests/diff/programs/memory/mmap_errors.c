// mmap, munmap, mprotect: arguments and errors in their order.
#include "../t.h"
#include <sys/resource.h>
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#define A (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static long m(void *a, size_t l, long p, long f, int fd, long o) {
    long r = syscall(SYS_mmap, a, l, p, f, fd, o);
    if (r == -1) return -1;
    munmap((void *)r, l);
    return 0;
}
int main(void) {
    t_scratch();
    int rw = t_file("mm_rw", "hello"), ro = open("mm_rw", O_RDONLY), wo = open("mm_rw", O_WRONLY), path = open("mm_rw", O_PATH), dir = open(".", O_RDONLY), pipes[2];
    pipe(pipes);
    T(m(NULL, 0, RW, A, -1, 0));
    T(m(NULL, PAGE, RW, 0, -1, 0));
    T(m(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    T(m(NULL, PAGE, RW, 4 | MAP_ANONYMOUS, -1, 0));
    T(m(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    T(m(NULL, PAGE, RW, MAP_SHARED_VALIDATE, rw, 0));
    T(m(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x80000, rw, 0)); // MAP_SYNC
    T(m(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x8000000, rw, 0)); // unknown
    T(m(NULL, PAGE, RW, MAP_SHARED | 0x8000000, rw, 0));
    T(m(NULL, ~0ul, RW, A, -1, 0));
    T(m(NULL, 1ul << 47, RW, A, -1, 0));
    T(m(NULL, PAGE, RW, A, 99, 0));
    T(m(NULL, PAGE, RW, A, -1, PAGE));
    T(m(NULL, PAGE, RW, A, -1, 1));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, 99, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, 99, 1));
    T(m(NULL, 0, RW, MAP_PRIVATE, 99, 0));
    T(m(NULL, 0, RW, MAP_PRIVATE, rw, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, rw, 100));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, rw, LONG_MAX & ~0xfffl));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, rw, (long)~0xffful));
    T(m(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0));
    T(m(NULL, PAGE, PROT_NONE, MAP_SHARED, wo, 0));
    T(m(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, wo, 0));
    T(m(NULL, PAGE, RW, MAP_SHARED, ro, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, ro, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE, path, 0));
    T(m(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
    T(m(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0));
    T(m(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, ro, 0));
    T(m(NULL, PAGE, RW | PROT_EXEC, A, -1, 0));
    T(m(NULL, PAGE, 0x10, A, -1, 0)); // an unknown protection
    T(m(NULL, PAGE, ~7l, A, -1, 0));
    T(m(NULL, PAGE, RW, A | MAP_GROWSDOWN, -1, 0));
    T(m(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    T(m(NULL, PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, rw, 0));
    T(m(NULL, PAGE, RW, A | MAP_LOCKED | MAP_POPULATE | MAP_NONBLOCK | MAP_NORESERVE | MAP_STACK, -1, 0));
    T(m(NULL, PAGE, RW, A | 0x40, -1, 0)); // MAP_32BIT
    T(m(NULL, 2ul << 20, RW, A | MAP_HUGETLB, -1, 0));
    T(m(NULL, PAGE, RW, A | MAP_HUGETLB, -1, 0));
    T(m(NULL, 1ul << 30, RW, A | MAP_HUGETLB | 30 << 26, -1, 0));
    T(m(NULL, 2ul << 20, RW, A | MAP_HUGETLB | 22 << 26, -1, 0));
    T(m(NULL, 2ul << 20, RW, MAP_PRIVATE | MAP_HUGETLB, rw, 0));
    char *low = mmap(NULL, PAGE, RW, A | 0x40, -1, 0);
    C((uintptr_t)low < 1ul << 31);
    T(m((void *)1, PAGE, RW, A | MAP_FIXED, -1, 0));
    T(m((void *)(1ul << 47), PAGE, RW, A | MAP_FIXED, -1, 0));
    T(m((void *)((1ul << 47) - PAGE), PAGE, RW, A | MAP_FIXED, -1, 0));
    T(m((void *)~0xffful, PAGE, RW, A | MAP_FIXED, -1, 0));
    T(m(KERNEL, PAGE, RW, A, -1, 0));
    char *p = mmap(NULL, 4 * PAGE, RW, A, -1, 0);
    T(m(p, PAGE, RW, A | MAP_FIXED_NOREPLACE, -1, 0));
    T(m(p - 1, PAGE, RW, A | MAP_FIXED_NOREPLACE, -1, 0));
    T(m(p + PAGE, PAGE, RW, A | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0));
    munmap(p + PAGE, PAGE);
    T(mmap(p + PAGE, PAGE, RW, A | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
    T(mmap(p, 2 * PAGE, RW, A, -1, 0) != p);
    T(munmap(p, 0));
    T(munmap(p + 1, PAGE));
    T(munmap(p, ~0ul));
    T(munmap((void *)(1ul << 47), PAGE));
    T(munmap(KERNEL, PAGE));
    T(munmap(p, 4 * PAGE));
    T(munmap(p, 4 * PAGE));
    T(munmap(p, 1)); // rounded up
    T(mprotect(p, PAGE, RW));
    p = mmap(NULL, 4 * PAGE, RW, A, -1, 0);
    T(mprotect(p + 1, PAGE, RW));
    T(mprotect(p, 0, RW));
    T(mprotect(p + 1, 0, RW));
    T(mprotect(p, ~0ul, RW));
    T(mprotect(p, PAGE, 0x10));
    T(mprotect(p, PAGE, 0x1000000 | PROT_READ)); // PROT_GROWSDOWN on what does not grow
    T(mprotect(p, PAGE, 0x3000000 | PROT_READ));
    T(mprotect(p, PAGE, 8 | PROT_READ)); // PROT_SEM
    munmap(p + 2 * PAGE, PAGE);
    T(mprotect(p, 4 * PAGE, PROT_READ)); // what lies before the hole is changed
    char *s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
    T(mprotect(s, PAGE, RW));
    T(mprotect(s, PAGE, PROT_READ | PROT_EXEC));
    s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rw, 0);
    T(mprotect(s, PAGE, RW));
    s = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0);
    T(mprotect(s, PAGE, RW));
    T(syscall(SYS_pkey_mprotect, p, PAGE, (long)RW, -1L));
    T(syscall(SYS_pkey_mprotect, p, PAGE, (long)RW, 99L));
    T(syscall(SYS_pkey_free, 77L));
    T(syscall(SYS_pkey_alloc, 1L, 0L));
    T(syscall(SYS_pkey_alloc, 0L, 4L));
    unlink("mm_rw");
    return 0;
}
