// Every clock: readable, going forward, its resolution; errors; setting is refused to nobody here.
// diff: cpus=2
#include "t.h"

int main(void) {
    for (int clock = -3; clock < 14; clock++) {
        struct timespec a, b, r;
        long got = syscall(SYS_clock_gettime, clock, &a);
        printf("clock %d: %s", clock, got ? t_name(errno) : "ok");
        if (clock >= 0 && got == 0) {
            for (volatile int i = 0; i < 100000; i++) {}
            syscall(SYS_clock_gettime, clock, &b);
            got = syscall(SYS_clock_getres, clock, &r);
            printf(" forward %d res %ld %ld", b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec), (long)r.tv_sec,
                   clock == 5 || clock == 6 ? -1 : r.tv_nsec); // the coarse clocks' is the kernel's tick
        }
        puts("");
    }
    struct timespec last = {0, 0}, now;
    long backwards = 0;
    for (int i = 0; i < 200000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        backwards += now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec);
        last = now;
    }
    N(backwards);
    struct timeval tv;
    T(gettimeofday(&tv, NULL));
    clock_gettime(CLOCK_REALTIME, &now);
    C(labs((long)(now.tv_sec - tv.tv_sec)) <= 1 && labs((long)(time(NULL) - now.tv_sec)) <= 1);
    C(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
    struct timespec raw, library;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw);
    clock_gettime(CLOCK_MONOTONIC, &library);
    C(library.tv_sec - raw.tv_sec <= 1 && library.tv_sec >= raw.tv_sec);
    clockid_t cpu;
    E(clock_getcpuclockid(0, &cpu));
    T(clock_gettime(cpu, &now));
    E(pthread_getcpuclockid(pthread_self(), &cpu));
    T(clock_gettime(cpu, &now));
    C(now.tv_sec < 10 && (now.tv_sec || now.tv_nsec));
    return 0;
}
