// times, getrusage and their clocks: what is counted, and errors.
#include "../t.h"
#include <sys/resource.h>
#include <sys/times.h>

static long us(struct timeval t) { return t.tv_sec * 1000000 + t.tv_usec; }
static void burn(long ms) {
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}
static void spin(long ms) {
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do { for (volatile int i = 0; i < 100000; i++) {} clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b); }
    while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}
static void *work(void *p) { burn(60); return p; }
int main(void) {
    struct rusage u, v;
    struct tms t;
    T(getrusage(2, &u));
    T(getrusage(-2, &u));
    T(getrusage(RUSAGE_SELF, BAD));
    T(syscall(SYS_times, BAD));
    C(times(NULL) != -1);
    T(getrusage(RUSAGE_SELF, &u));
    spin(100);
    T(getrusage(RUSAGE_SELF, &v));
    // All of it: how ticks divide it between application and kernel is chance.
    C(us(v.ru_utime) + us(v.ru_stime) - us(u.ru_utime) - us(u.ru_stime) >= 80000);
    C(v.ru_maxrss > 0);
    N(v.ru_ixrss); N(v.ru_idrss); N(v.ru_isrss); N(v.ru_nswap); N(v.ru_msgsnd); N(v.ru_msgrcv); N(v.ru_nsignals);
    getrusage(RUSAGE_SELF, &u);
    for (int i = 0; i < 5; i++) t_sleep_ms(2);
    getrusage(RUSAGE_SELF, &v);
    C(v.ru_nvcsw - u.ru_nvcsw >= 5);
    pthread_t p;
    pthread_create(&p, NULL, work, NULL);
    pthread_join(p, NULL);
    struct rusage thread;
    getrusage(RUSAGE_THREAD, &thread);
    getrusage(RUSAGE_SELF, &v);
    C(us(v.ru_utime) + us(v.ru_stime) - us(thread.ru_utime) - us(thread.ru_stime) >= 50000);
    getrusage(RUSAGE_CHILDREN, &u);
    N(us(u.ru_utime) + us(u.ru_stime));
    if (fork() == 0) { spin(100); _exit(0); }
    t_sleep_ms(1);
    getrusage(RUSAGE_CHILDREN, &u);
    N(us(u.ru_utime) + us(u.ru_stime));
    wait4(-1, NULL, 0, &v);
    C(us(v.ru_utime) + us(v.ru_stime) >= 80000);
    getrusage(RUSAGE_CHILDREN, &u);
    C(us(u.ru_utime) + us(u.ru_stime) >= 80000);
    times(&t);
    C(t.tms_cutime + t.tms_cstime >= 8); C(t.tms_utime + t.tms_stime >= 8);
    // Time in the kernel is told apart.
    struct tms before, after;
    times(&before);
    static char big[1 << 20];
    int fd = open("/dev/zero", O_RDONLY);
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do { read(fd, big, sizeof big); clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b); }
    while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 300);
    times(&after);
    C(after.tms_stime - before.tms_stime > after.tms_utime - before.tms_utime);
    return 0;
}
