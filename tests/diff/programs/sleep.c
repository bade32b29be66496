// nanosleep and clock_nanosleep: relative, absolute, errors; never too short.
#include "t.h"

int main(void) {
    struct timespec t = {0, 20000000}, bad = {0, 1000000000}, negative = {-1, 0}, zero = {0, 0}, now;
    long before = t_now_ms();
    T(nanosleep(&t, NULL));
    C(t_now_ms() - before >= 19);
    T(nanosleep(&zero, NULL));
    T(nanosleep(&bad, NULL));
    T(nanosleep(&negative, NULL));
    before = t_now_ms();
    E(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
    C(t_now_ms() - before >= 19);
    clock_gettime(CLOCK_MONOTONIC, &now);
    E(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
    now.tv_nsec += 20000000;
    if (now.tv_nsec >= 1000000000) now.tv_nsec -= 1000000000, now.tv_sec++;
    before = t_now_ms();
    E(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
    C(t_now_ms() - before >= 15);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec--;
    E(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &now, NULL));
    E(clock_nanosleep(99, 0, &t, NULL));
    E(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL));
    T(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
    T(usleep(1000));
    T(sleep(0));
    return 0;
}
