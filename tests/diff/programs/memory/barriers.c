// membarrier: commands, registration, errors.
// diff: cpus=2
#include "../t.h"
static long mb(int c, unsigned f, int cpu) { return syscall(SYS_membarrier, c, f, cpu); }
static _Atomic int stop;
static void *spin(void *p) { while (!stop) {} return p; }
int main(void) {
    long q = mb(0, 0, 0);
    C(q > 0);
    printf("%lx\n", q & 0x3f); // what every Linux since 4.16 has
    T(mb(0, 1, 0));
    T(mb(3, 0, 0));
    T(mb(1 << 30, 0, 0));
    T(mb(-1, 0, 0));
    T(mb(8, 0, 0)); // not registered
    T(mb(32, 0, 0));
    pthread_t t;
    pthread_create(&t, NULL, spin, NULL);
    T(mb(1, 0, 0));
    T(mb(2, 0, 0));
    T(mb(4, 0, 0));
    T(mb(16, 0, 0));
    T(mb(8, 0, 0));
    T(mb(8, 1, 0));
    T(mb(64, 0, 0));
    T(mb(32, 0, 0));
    for (int i = 0; i < 200; i++) mb(8, 0, 0);
    stop = 1;
    pthread_join(t, NULL);
    if (fork() == 0) { T(mb(8, 0, 0)); _exit(0); } // inherited with the memory
    wait(NULL);
    return 0;
}
