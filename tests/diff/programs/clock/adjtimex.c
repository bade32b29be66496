// adjtimex and clock_adjtime: reading, and the refusals.
#include "../t.h"
#include <sys/timex.h>

int main(void) {
    struct timex x = {0};
    T(adjtimex(&x) >= 0);
    C(x.tick >= 9000 && x.tick <= 11000);
    C(x.time.tv_sec > 1000000000);
    C(x.precision >= 0 && x.tolerance > 0);
    T(syscall(SYS_adjtimex, BAD));
    x = (struct timex){0};
    T(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &x) >= 0);
    T(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &x));
    T(syscall(SYS_clock_adjtime, CLOCK_PROCESS_CPUTIME_ID, &x));
    T(syscall(SYS_clock_adjtime, 99, &x));
    T(syscall(SYS_clock_adjtime, CLOCK_REALTIME, BAD));
    if (fork() == 0) {
        setuid(1000);
        x = (struct timex){.modes = ADJ_TICK, .tick = 10000};
        T(adjtimex(&x));
        x = (struct timex){.modes = ADJ_FREQUENCY};
        T(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &x));
        x = (struct timex){.modes = ADJ_OFFSET_SS_READ};
        T(adjtimex(&x) >= 0);
        struct timespec t = {1, 0};
        T(syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
        struct timeval v = {1, 0};
        T(syscall(SYS_settimeofday, &v, NULL));
        _exit(0);
    }
    wait(NULL);
    return 0;
}
