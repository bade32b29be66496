// RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK and brk; growing stacks.
#include "../t.h"
#include <sys/resource.h>
#define A (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)
static void limit(int what, rlim_t value) { struct rlimit l; getrlimit(what, &l); l.rlim_cur = value; if (setrlimit(what, &l)) perror("setrlimit"); }
static long now(const char *field) {
    char line[200];
    long v = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, f)) if (!strncmp(line, field, strlen(field))) v = atol(line + strlen(field) + 1) * 1024;
    fclose(f);
    return v;
}
static int deep(int n) { volatile char b[4096]; b[0] = (char)n; return n ? deep(n - 1) + b[0] : 0; }
static void in_child(const char *what, void (*f)(void)) {
    int status;
    fflush(stdout);
    puts(what);
    pid_t p = fork();
    if (p == 0) { f(); _exit(0); }
    waitpid(p, &status, 0);
    printf("  status %x\n", status);
}
static void as(void) {
    limit(RLIMIT_AS, (rlim_t)now("VmSize:") + (8 << 20));
    T(mmap(NULL, 4 << 20, RW, A, -1, 0) == MAP_FAILED);
    T(mmap(NULL, 8 << 20, RW, A, -1, 0) == MAP_FAILED);
    char *p = mmap(NULL, 2 << 20, PROT_NONE, A, -1, 0);
    C(p != MAP_FAILED);
    T(mremap(p, 2 << 20, 16 << 20, MREMAP_MAYMOVE) == MAP_FAILED);
    T(mmap(p, 2 << 20, RW, A | MAP_FIXED, -1, 0) == MAP_FAILED); // replaces: no more than before
    void *top = sbrk(0);
    T(sbrk(64 << 20) == (void *)-1);
    C(sbrk(0) == top);
    limit(RLIMIT_AS, 1);
    T(mmap(NULL, PAGE, RW, A, -1, 0) == MAP_FAILED);
    T(munmap(p, PAGE));
}
static void data(void) {
    limit(RLIMIT_DATA, (rlim_t)now("VmData:") + (4 << 20));
    T(mmap(NULL, 2 << 20, RW, A, -1, 0) == MAP_FAILED);
    T(mmap(NULL, 16 << 20, RW, A, -1, 0) == MAP_FAILED);
    T(mmap(NULL, 16 << 20, PROT_READ, A, -1, 0) == MAP_FAILED);
    T(mmap(NULL, 16 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    char *p = mmap(NULL, 16 << 20, PROT_NONE, A, -1, 0);
    T(mprotect(p, 16 << 20, RW));
    T(mprotect(p, PAGE, RW));
    T(sbrk(64 << 20) == (void *)-1);
}
static void data_zero(void) { limit(RLIMIT_DATA, 0); void *top = sbrk(0); T(syscall(SYS_brk, (char *)top + PAGE) == (long)top); }
static void stack_fits(void) { limit(RLIMIT_STACK, 4 << 20); N(deep(200) != 12345); }
static void grows(void) {
    // A mapping that grows down when touched below its start, page after page.
    char *base = mmap(NULL, 64 * PAGE, PROT_NONE, A, -1, 0);
    munmap(base, 64 * PAGE);
    char *p = mmap(base + 60 * PAGE, 2 * PAGE, RW, A | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    C(p == base + 60 * PAGE);
    p[0] = 1;
    p[-1] = 2;
    p[-(long)PAGE - 1] = 3;
    C(p[0] == 1 && p[-1] == 2);
    unsigned char v;
    T(mincore(p - 2 * PAGE, PAGE, &v));
    T(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN)); // down to its start
    T(mincore(p - 40 * PAGE, PAGE, &v));
}
static void brks(void) {
    char *top = sbrk(0);
    T(syscall(SYS_brk, 0) == (long)top);
    T(syscall(SYS_brk, top + 5) == (long)(top + 5));
    T(syscall(SYS_brk, 1) == (long)(top + 5));
    T(syscall(SYS_brk, ~0ul) == (long)(top + 5));
    T(syscall(SYS_brk, top + 100 * PAGE) == (long)(top + 100 * PAGE));
    top[99 * PAGE] = 9;
    T(syscall(SYS_brk, top + 50 * PAGE) == (long)(top + 50 * PAGE));
    T(syscall(SYS_brk, top + 100 * PAGE) == (long)(top + 100 * PAGE));
    N(top[99 * PAGE]); // fresh
    char *wall = mmap(top + 110 * PAGE, PAGE, RW, A | MAP_FIXED, -1, 0);
    C(wall == top + 110 * PAGE);
    T(syscall(SYS_brk, top + 120 * PAGE) == (long)(top + 100 * PAGE));
}
static void overcommit(void) { T(mmap(NULL, 1ul << 46, RW, A, -1, 0) == MAP_FAILED); T(mmap(NULL, 1ul << 40, PROT_NONE, A | MAP_NORESERVE, -1, 0) == MAP_FAILED); }
int main(void) {
    in_child("address space", as);
    in_child("data", data);
    in_child("no data", data_zero);
    in_child("stack", stack_fits);
    in_child("growing", grows);
    in_child("brk", brks);
    in_child("overcommit", overcommit);
    return 0;
}
