// mincore and mlock.
#include "t.h"

int main(void) {
    unsigned char v[8];
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 4 * PAGE);
    T(mincore(p, 4 * PAGE, v));
    N(v[0] & 1); N(v[3] & 1);
    T(mincore(p + 1, PAGE, v));
    T(mincore(p, 4 * PAGE, BAD));
    T(mincore(p, 0, v));
    T(mlock(p, 2 * PAGE));
    T(munlock(p, 2 * PAGE));
    T(mlock(p + 5, 10));
    T(mlockall(0));
    T(mlockall(64));
    T(munlockall());
    munmap(p + PAGE, PAGE);
    T(mincore(p, 4 * PAGE, v));
    T(mlock(p, 4 * PAGE));
    T(munlock(p + PAGE, PAGE));
    T(munlock(p, PAGE));
    return 0;
}
