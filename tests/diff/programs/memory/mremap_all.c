// mremap: every flag, errors in their order, and what the pages hold afterwards.
#include "../t.h"
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define A (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static char *area(size_t pages) { char *p = mmap(NULL, pages * PAGE, RW, A, -1, 0); for (size_t i = 0; i < pages; i++) p[i * PAGE] = (char)('a' + i); return p; }
static long r(void *p, size_t o, size_t n, int f, void *t) { long x = syscall(SYS_mremap, p, o, n, f, t); return x == -1 ? -1 : 0; }
static int mapped(void *p) { unsigned char v; return mincore(p, PAGE, &v) == 0; }
int main(void) {
    char *p = area(4), *t = area(8), *q;
    T(r(p + 1, PAGE, PAGE, 0, NULL));
    T(r(p, PAGE, 0, 0, NULL));
    T(r(p, PAGE, PAGE, 8, NULL));
    T(r(p, PAGE, PAGE, MREMAP_FIXED, t));
    T(r(p, PAGE, PAGE, MREMAP_DONTUNMAP, NULL));
    T(r(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    T(r(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, t + 1));
    T(r(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
    T(r(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
    T(r(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, KERNEL));
    T(r(p, PAGE, 1ul << 48, MREMAP_MAYMOVE, NULL));
    T(r(p, PAGE, ~0ul, MREMAP_MAYMOVE, NULL));
    T(r(BAD + PAGE - 8, PAGE, PAGE, MREMAP_MAYMOVE, NULL));
    T(r(KERNEL, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL));
    T(r(p, 0, PAGE, MREMAP_MAYMOVE, NULL)); // private memory cannot be doubled
    T(r(p, 0, PAGE, 0, NULL));
    T(r(p, ~0ul - PAGE, PAGE, 0, NULL));
    // Shrinking in place, and growing into what was freed.
    T(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
    C(!mapped(p + 2 * PAGE));
    T(mremap(p, 2 * PAGE, 3 * PAGE, 0) == p);
    N(p[PAGE]); N(p[2 * PAGE]);
    // No room: only with MAYMOVE.
    char *wall = mmap(p + 3 * PAGE, PAGE, PROT_NONE, A | MAP_FIXED, -1, 0);
    T(r(p, 3 * PAGE, 4 * PAGE, 0, NULL));
    q = mremap(p, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    C(q != p && q[0] == 'a' && q[PAGE] == 'b' && q[4 * PAGE] == 0);
    C(!mapped(p));
    // To a fixed place, over what is there; and shrinking on the way.
    q = mremap(q, 5 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, t);
    C(q == t && t[0] == 'a' && t[PAGE] == 'b' && t[2 * PAGE] == 'c');
    // Over two areas: not beyond the first.
    p = area(4);
    mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ);
    T(r(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, NULL));
    T(r(p, 4 * PAGE, 3 * PAGE, 0, NULL)); // shrinking may
    C(mapped(p + 2 * PAGE) && !mapped(p + 3 * PAGE));
    // Leaving the old place: it reads as zeroes.
    p = area(2);
    q = (char *)syscall(SYS_mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    C(q != p && q[0] == 'a' && q[PAGE] == 'b' && p[0] == 0 && p[PAGE] == 0);
    p[0] = 'x';
    C(q[0] == 'a');
    q = mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, t + 4 * PAGE);
    C(q == t + 4 * PAGE && q[0] == 'a');
    // Shared memory: doubled, grown, kept.
    p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p[0] = '1'; p[PAGE] = '2';
    q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
    C(q != MAP_FAILED && q != p);
    if (q != MAP_FAILED) { p[1] = '3'; C(q[0] == '1' && q[1] == '3' && q[PAGE] == '2'); }
    T(r(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    t_scratch();
    int fd = t_file("mremap_file", "first");
    ftruncate(fd, 4 * PAGE);
    pwrite(fd, "second", 6, PAGE);
    p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    q = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    S(q); S(q + PAGE);
    memcpy(q + PAGE, "SECOND", 6);
    char b[7] = "";
    pread(fd, b, 6, PAGE); S(b);
    p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    p[0] = 'F';
    q = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    S(q); S(q + PAGE);
    T(r(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    (void)wall;
    unlink("mremap_file");
    return 0;
}
