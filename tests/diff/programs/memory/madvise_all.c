// madvise: every advice on every kind of memory.
#include "../t.h"
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#define A (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)
static long ad(void *p, size_t l, int a) { return syscall(SYS_madvise, p, l, (long)a); }
int main(void) {
    t_scratch();
    int fd = t_file("madvise_file", "file contents");
    ftruncate(fd, 2 * PAGE);
    char *anon = mmap(NULL, 4 * PAGE, RW, A, -1, 0), *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *priv = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0), *sf = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), *ro = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *none = mmap(NULL, PAGE, PROT_NONE, A, -1, 0);
    static const int advice[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 99, -1};
    for (unsigned i = 0; i < sizeof advice / sizeof *advice; i++) {
        int a = advice[i];
        if (a == 25) continue; // COLLAPSE depends on huge pages
        struct { const char *name; char *p; size_t l; } on[] = {{"anon", anon, 4 * PAGE}, {"shared", shared, 2 * PAGE}, {"private", priv, 2 * PAGE}, {"file", sf, 2 * PAGE}, {"ro", ro, PAGE}, {"none", none, PAGE}};
        printf("%d:", a);
        for (int k = 0; k < 6; k++) printf(" %s %s", on[k].name, ad(on[k].p, on[k].l, a) ? t_name(errno) : "ok");
        puts("");
        if (a == 10) for (int k = 0; k < 6; k++) ad(on[k].p, on[k].l, 11);
    }
    T(mlock(anon, PAGE)); anon[0] = 1; T(ad(anon, PAGE, MADV_DONTNEED)); N(anon[0]); T(ad(anon, PAGE, 24)); N(anon[0]); T(munlock(anon, PAGE));
    T(ad(anon + 1, PAGE, MADV_DONTNEED));
    T(ad(anon, 0, MADV_DONTNEED));
    T(ad(anon + 1, 0, MADV_DONTNEED));
    T(ad(anon, ~0ul, MADV_DONTNEED));
    T(ad(anon, 0, 99));
    T(ad(anon + 1, 0, 99));
    anon[0] = 1; anon[3 * PAGE] = 4;
    munmap(anon + PAGE, PAGE);
    T(ad(anon, 4 * PAGE, MADV_DONTNEED)); // done where it is mapped nonetheless
    N(anon[0]); N(anon[3 * PAGE]);
    T(ad(anon, 4 * PAGE, MADV_NORMAL));
    T(ad(anon, 4 * PAGE, MADV_POPULATE_READ));
    T(ad(none, PAGE, MADV_POPULATE_READ));
    T(ad(ro, PAGE, MADV_POPULATE_WRITE));
    // What DONTNEED brings back.
    T(pwrite(fd, "file contents", 13, 0));
    priv[0] = 'X'; sf[5] = 'Y'; shared[0] = 'S';
    T(ad(priv, PAGE, MADV_DONTNEED)); S(priv);
    T(ad(sf, PAGE, MADV_DONTNEED)); S(sf);
    T(ad(shared, PAGE, MADV_DONTNEED)); N(shared[0]);
    T(ad(shared, PAGE, MADV_REMOVE)); N(shared[0]);
    T(ad(sf, PAGE, MADV_REMOVE)); N(sf[0]);
    char b[2] = "z";
    T(pread(fd, b, 1, 0)); N(b[0]);
    // Fork: not there, or zero.
    char *p = mmap(NULL, 3 * PAGE, RW, A, -1, 0);
    p[0] = 1; p[PAGE] = 2; p[2 * PAGE] = 3;
    T(ad(p + PAGE, PAGE, MADV_DONTFORK));
    T(ad(p + 2 * PAGE, PAGE, MADV_WIPEONFORK));
    if (fork() == 0) {
        unsigned char v;
        N(p[0]);
        T(mincore(p + PAGE, PAGE, &v));
        N(p[2 * PAGE]);
        p[2 * PAGE] = 9;
        if (fork() == 0) { N(p[2 * PAGE]); _exit(0); } // still wiped
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
    N(p[2 * PAGE]);
    T(ad(p + PAGE, PAGE, MADV_DOFORK));
    T(ad(p + 2 * PAGE, PAGE, MADV_KEEPONFORK));
    if (fork() == 0) { N(p[PAGE]); N(p[2 * PAGE]); _exit(0); }
    wait(NULL);
    mlock(p, PAGE);
    T(ad(p, PAGE, MADV_DONTNEED));
    T(ad(p, PAGE, MADV_FREE));
    munlock(p, PAGE);
    T(ad(p, PAGE, MADV_FREE));
    p[0] = 7;
    N(p[0]);
    unlink("madvise_file");
    return 0;
}
