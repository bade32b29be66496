// getrandom: flags, sizes, and no two answers alike.
#include "t.h"
#include <sys/random.h>

int main(void) {
    static unsigned char a[100000], b[100000];
    T(getrandom(a, 256, 0));
    T(getrandom(b, 256, GRND_NONBLOCK));
    C(memcmp(a, b, 256) != 0);
    T(getrandom(a, sizeof a, 0));
    T(getrandom(b, 16, GRND_RANDOM | GRND_NONBLOCK) == 16);
    T(getrandom(a, 0, 0));
    T(getrandom(a, 1, 0x100));
    T(syscall(SYS_getrandom, a, 16, 4 | 2));
    int seen[256] = {0}, different = 0;
    for (unsigned i = 0; i < sizeof a; i++) seen[a[i]]++;
    for (int i = 0; i < 256; i++) different += seen[i] > 200 && seen[i] < 600;
    N(different);
    T(getentropy(a, 256));
    T(getentropy(a, 257));
    return 0;
}
