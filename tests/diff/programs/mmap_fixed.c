// MAP_FIXED replaces, MAP_FIXED_NOREPLACE does not, and unmapping makes holes.
#include "t.h"
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static int readable(void *at) { // asks the kernel, so that no fault is needed
    static int p[2];
    if (!p[1]) pipe(p);
    if (write(p[1], at, 1) != 1) return 0;
    read(p[0], (char[1]){0}, 1);
    return 1;
}
static char *base;
static void show(void) {
    for (int i = 0; i < 8; i++) putchar(readable(base + i * PAGE) ? '0' + base[i * PAGE] : '.');
    puts("");
}

int main(void) {
    int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    base = mmap(NULL, 8 * PAGE, rw, anon, -1, 0);
    for (int i = 0; i < 8; i++) base[i * PAGE] = i;
    show();
    T(munmap(base + 2 * PAGE, 2 * PAGE)); show();
    C(mmap(base + PAGE, PAGE, rw, anon | MAP_FIXED, -1, 0) == base + PAGE); show();
    P(mmap(base + PAGE, PAGE, rw, anon | MAP_FIXED_NOREPLACE, -1, 0));
    P(mmap(base + PAGE, 2 * PAGE, rw, anon | MAP_FIXED_NOREPLACE, -1, 0)); show();
    C(mmap(base + 2 * PAGE, PAGE, rw, anon | MAP_FIXED_NOREPLACE, -1, 0) == base + 2 * PAGE); show();
    C(mmap(base + 3 * PAGE, PAGE, rw, anon, -1, 0) == base + 3 * PAGE); show(); // a hint that is free is taken
    C(mmap(base + 3 * PAGE, PAGE, rw, anon, -1, 0) != base + 3 * PAGE);
    T(mprotect(base + 4 * PAGE, PAGE, PROT_NONE)); show();
    C(mmap(base + 3 * PAGE, 3 * PAGE, rw, anon | MAP_FIXED, -1, 0) == base + 3 * PAGE); show();
    T(munmap(base, 8 * PAGE)); show();
    P(mmap(base + 1, PAGE, rw, anon | MAP_FIXED, -1, 0));
    T(mprotect(base, PAGE, PROT_READ));
    C(mmap(base, 8 * PAGE, rw, anon | MAP_FIXED, -1, 0) == base); show();
    T(munmap(base + PAGE, PAGE));
    T(mprotect(base, 3 * PAGE, PROT_READ)); // up to the hole it is done
    T(munmap(base, 8 * PAGE));
    T(mprotect(base + 1, PAGE, PROT_READ));
    T(mprotect(base, 0, PROT_READ));
    T(mprotect(base, PAGE, 0x1000));
    return 0;
}
