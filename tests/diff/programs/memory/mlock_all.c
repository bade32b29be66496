// mlock and its kin with RLIMIT_MEMLOCK; mincore; msync.
#include "../t.h"
#include <sys/resource.h>
#define A (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)
static long lk2(void *p, size_t l, int f) { return syscall(SYS_mlock2, p, l, (long)f); }
static void locked(void) {
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, f)) if (!strncmp(line, "VmLck", 5)) fputs(line, stdout);
    fclose(f);
}
int main(void) {
    char *p = mmap(NULL, 16 * PAGE, RW, A, -1, 0);
    locked();
    T(mlock(p, 3 * PAGE)); locked();
    T(mlock(p + PAGE, 3 * PAGE)); locked();
    T(mlock(p + 5 * PAGE + 7, 1)); locked();
    T(munlock(p + PAGE, PAGE)); locked();
    T(munlock(p, 16 * PAGE)); locked();
    T(lk2(p, PAGE, 0)); T(lk2(p, PAGE, 1)); T(lk2(p, PAGE, 2)); T(lk2(p, PAGE, 3));
    locked();
    T(mlock(p, 0)); T(mlock(p, ~0ul)); T(munlock(p, ~0ul));
    munmap(p + 8 * PAGE, PAGE);
    T(mlock(p, 16 * PAGE));
    T(munlock(p, 16 * PAGE));
    T(munlock(p, 8 * PAGE));
    T(mlockall(0)); T(mlockall(8)); T(mlockall(4)); T(mlockall(MCL_FUTURE | 4));
    T(munlockall());
    char *q = mmap(NULL, 2 * PAGE, RW, A | MAP_LOCKED, -1, 0);
    locked();
    munmap(q, 2 * PAGE);
    locked();
    if (fork() == 0) { mlock(p, PAGE); if (fork() == 0) { locked(); _exit(0); } wait(NULL); _exit(0); }
    wait(NULL);
    if (fork() == 0) {
        struct rlimit l = {4 * PAGE, 4 * PAGE};
        setrlimit(RLIMIT_MEMLOCK, &l);
        setuid(54321);
        T(mlock(p, 4 * PAGE));
        T(mlock(p + 4 * PAGE, PAGE));
        T(mlock(p, 2 * PAGE)); // already
        T(munlock(p, PAGE));
        T(mlock(p + 4 * PAGE, PAGE));
        T(mlock(p + 5 * PAGE, PAGE));
        T(mmap(NULL, PAGE, RW, A | MAP_LOCKED, -1, 0) == MAP_FAILED);
        T(mlockall(MCL_CURRENT));
        T(mlockall(MCL_FUTURE));
        T(mmap(NULL, PAGE, RW, A, -1, 0) == MAP_FAILED);
        T(munlockall());
        l.rlim_cur = l.rlim_max = 0;
        setrlimit(RLIMIT_MEMLOCK, &l);
        T(mlock(p, PAGE));
        T(lk2(p, PAGE, 1));
        T(munlock(p, PAGE));
        T(mlockall(MCL_CURRENT));
        T(mlockall(0));
        T(munlockall());
        _exit(0);
    }
    wait(NULL);
    // mincore: which pages are resident only the host knows; what was touched is.
    unsigned char v[16];
    q = mmap(NULL, 4 * PAGE, RW, A, -1, 0);
    q[PAGE] = 1;
    T(mincore(q, 4 * PAGE, v));
    N(v[1] & 1);
    T(mincore(q, ~0ul, v)); T(mincore(q + 1, PAGE, v)); T(mincore(q, PAGE, BAD)); T(mincore(q, 1, v)); T(mincore(q + 1, 0, v)); T(mincore(KERNEL, PAGE, v));
    madvise(q, 4 * PAGE, MADV_DONTNEED);
    T(mincore(q, 2 * PAGE, v));
    t_scratch();
    int fd = t_file("mlock_file", "abc");
    char *m = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    m[0] = 'x';
    T(msync(m, PAGE, MS_SYNC)); T(msync(m, PAGE, MS_ASYNC)); T(msync(m, PAGE, MS_SYNC | MS_ASYNC)); T(msync(m, PAGE, 0));
    T(msync(m, PAGE, 8)); T(msync(m + 1, PAGE, MS_SYNC)); T(msync(m, 0, MS_SYNC)); T(msync(m, ~0ul, MS_SYNC)); T(msync(m, PAGE, MS_INVALIDATE));
    T(msync(q, PAGE, MS_SYNC));
    munmap(q + PAGE, PAGE);
    T(msync(q, 4 * PAGE, MS_SYNC));
    T(msync(q, 4 * PAGE, MS_ASYNC));
    T(mlock(m, PAGE)); T(msync(m, PAGE, MS_SYNC | MS_INVALIDATE)); T(msync(m, PAGE, MS_INVALIDATE));
    unlink("mlock_file");
    return 0;
}
