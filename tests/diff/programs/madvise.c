// madvise: DONTNEED on private, shared and file memory; hints; errors.
#include "t.h"

int main(void) {
    t_scratch();
    int rw = PROT_READ | PROT_WRITE;
    char *p = mmap(NULL, 4 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 'p', 4 * PAGE);
    T(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
    N(p[0]); N(p[PAGE]); N(p[3 * PAGE - 1]); N(p[3 * PAGE]);
    p[PAGE] = 'n';
    N(p[PAGE]);
    T(madvise(p, 100, MADV_DONTNEED));
    N(p[0]); N(p[4095]);
    char *s = mmap(NULL, PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s[0] = 's';
    T(madvise(s, PAGE, MADV_DONTNEED));
    N(s[0]);
    T(madvise(s, PAGE, MADV_REMOVE));
    N(s[0]);
    T(madvise(p, PAGE, MADV_REMOVE));
    int fd = t_file("file", "0123");
    char *f = mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0);
    f[0] = 'f';
    T(madvise(f, PAGE, MADV_DONTNEED));
    N(f[0]);
    T(madvise(p, 4 * PAGE, MADV_NORMAL));
    T(madvise(p, 4 * PAGE, MADV_RANDOM));
    T(madvise(p, 4 * PAGE, MADV_SEQUENTIAL));
    T(madvise(p, 4 * PAGE, MADV_WILLNEED));
    T(madvise(p, 4 * PAGE, MADV_DONTFORK));
    T(madvise(p, 4 * PAGE, MADV_DOFORK));
    T(madvise(p, 4 * PAGE, MADV_DONTDUMP));
    T(madvise(p, 4 * PAGE, MADV_DODUMP));
    T(madvise(p, 4 * PAGE, 8)); // MADV_FREE
    T(madvise(s, PAGE, 8));
    T(madvise(p, 4 * PAGE, 9999));
    T(madvise(p + 1, PAGE, MADV_DONTNEED));
    T(madvise(p, 0, MADV_DONTNEED));
    T(madvise(p, -PAGE, MADV_DONTNEED));
    munmap(p + PAGE, PAGE);
    p[2 * PAGE] = 'x';
    T(madvise(p, 4 * PAGE, MADV_DONTNEED)); // the hole is reported, the rest is done
    N(p[2 * PAGE]);
    T(madvise(p + PAGE, PAGE, MADV_NORMAL));
    T(posix_madvise(s, PAGE, POSIX_MADV_DONTNEED));
    T(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
    T(posix_fadvise(fd, 0, 0, 99));
    T(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL));
    return 0;
}
