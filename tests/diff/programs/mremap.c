// mremap: shrink, grow in place, move, fixed, errors; shared file mappings keep their file.
#include "t.h"

int main(void) {
    t_scratch();
    int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = mmap(NULL, 8 * PAGE, rw, anon, -1, 0);
    for (int i = 0; i < 8; i++) p[i * PAGE] = 'a' + i;
    C(mremap(p, 8 * PAGE, 4 * PAGE, 0) == p);
    C(mremap(p, 4 * PAGE, 6 * PAGE, 0) == p);
    N(p[3 * PAGE]); N(p[5 * PAGE]); // grown pages are new
    P(mmap(p + 6 * PAGE, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0)); // stands in the way
    P(mremap(p, 6 * PAGE, 16 * PAGE, 0));
    char *q = P(mremap(p, 6 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
    C(q != p);
    N(q[0]); N(q[3 * PAGE]); N(q[15 * PAGE]);
    T(msync(p, PAGE, MS_ASYNC));
    char *to = mmap(NULL, 4 * PAGE, rw, anon, -1, 0);
    to[0] = 'T';
    C(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    N(to[0]); N(to[PAGE]);
    P(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, to));
    P(mremap(to, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE));
    P(mremap(to, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 1));
    P(mremap(to + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    P(mremap(to, PAGE, 0, MREMAP_MAYMOVE));
    P(mremap(to, PAGE, PAGE, 64));
    P(mremap(KERNEL, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    P(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    P(mremap(q, 0, PAGE, MREMAP_MAYMOVE));
    int fd = t_file("file", "");
    ftruncate(fd, 4 * PAGE);
    char *s = mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0);
    s[0] = 's';
    s = P(mremap(s, PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    s[3 * PAGE] = 'e';
    char b[2];
    T(pread(fd, b, 1, 3 * PAGE)); N(b[0]);
    char *t = P(mremap(s, 0, 4 * PAGE, MREMAP_MAYMOVE)); // old size 0: a second mapping of the same
    C(t != s);
    t[PAGE] = 'm';
    N(s[PAGE]); N(s[0]);
    char *d = mmap(NULL, 2 * PAGE, rw, anon, -1, 0);
    d[0] = 'd';
    char *e = mremap(d, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4, 0); // MREMAP_DONTUNMAP
    C(e != MAP_FAILED && e[0] == 'd' && d[0] == 0);
    return 0;
}
