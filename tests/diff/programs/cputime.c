// getrusage, times, CPU-time clocks: work counts, sleep does not.
#include "t.h"
#include <sys/resource.h>
#include <sys/times.h>

static long cpu_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static void *worker(void *unused) {
    while (cpu_ms(CLOCK_THREAD_CPUTIME_ID) < 60) {}
    return unused;
}

int main(void) {
    struct rusage u;
    struct tms t;
    while (cpu_ms(CLOCK_PROCESS_CPUTIME_ID) < 100) {}
    T(getrusage(RUSAGE_SELF, &u));
    C(u.ru_utime.tv_sec * 1000 + u.ru_utime.tv_usec / 1000 + u.ru_stime.tv_sec * 1000 + u.ru_stime.tv_usec / 1000 >= 90);
    C(u.ru_maxrss > 0);
    Z(times(&t));
    C(t.tms_utime + t.tms_stime >= 8);
    N(t.tms_cutime);
    long before = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    t_sleep_ms(200);
    C(cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - before < 100);
    before = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t thread;
    pthread_create(&thread, NULL, worker, NULL);
    pthread_join(thread, NULL);
    C(cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - before >= 50);
    T(getrusage(RUSAGE_THREAD, &u));
    T(getrusage(RUSAGE_CHILDREN, &u));
    N(u.ru_utime.tv_sec + u.ru_utime.tv_usec);
    T(getrusage(99, &u));
    C(clock() > 0);
    N(sysconf(_SC_CLK_TCK));
    return 0;
}
