// Every clock: gettime, getres, settime's refusals, clocks of other tasks, and the order of errors.
#include "../t.h"

static int clock_of(int id, int kind) { return (int)((~(unsigned)id << 3) | (unsigned)kind); }
static long get(int c, void *p) { return syscall(SYS_clock_gettime, c, p); }
static long res(int c, void *p) { return syscall(SYS_clock_getres, c, p); }
static long set(int c, void *p) { return syscall(SYS_clock_settime, c, p); }
static void *idle(void *p) { *(int *)p = (int)syscall(SYS_gettid); for (;;) pause(); return p; }

int main(void) {
    struct timespec t, bad = {0, 1000000000};
    for (int c = 0; c < 18; c++) {
        printf("clock %d: ", c);
        t.tv_sec = t.tv_nsec = -5;
        long r = get(c, &t);
        printf("gettime %s %d ", r ? t_name(errno) : "ok", r == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000 && t.tv_sec >= 0);
        r = res(c, &t);
        printf("getres %s ", r ? t_name(errno) : "ok");
        if (!r) printf("%ld.%ld ", (long)t.tv_sec, t.tv_nsec);
        printf("null %s bad %s\n", res(c, NULL) ? t_name(errno) : "ok", get(c, BAD) ? t_name(errno) : "ok");
    }
    for (int c = 0; c < 12; c++) {
        printf("settime %d: ", c);
        printf("%s ", set(c, &bad) ? t_name(errno) : "ok");
        printf("%s\n", set(c, BAD) ? t_name(errno) : "ok");
    }
    bad = (struct timespec){-1, 0};
    T(set(CLOCK_REALTIME, &bad));
    T(set(CLOCK_PROCESS_CPUTIME_ID, &t));
    T(set(CLOCK_THREAD_CPUTIME_ID, &t));
    T(set(-1, &t));
    int tid;
    pthread_t other;
    tid = 0;
    pthread_create(&other, NULL, idle, &tid);
    while (!*(volatile int *)&tid) t_sleep_ms(1);
    pid_t child = fork();
    if (child == 0) { for (;;) pause(); }
    for (int kind = 0; kind < 8; kind++) {
        printf("kind %d: self %s ", kind, get(clock_of(0, kind), &t) ? t_name(errno) : "ok");
        printf("pid %s ", get(clock_of(getpid(), kind), &t) ? t_name(errno) : "ok");
        printf("thread %s ", get(clock_of(tid, kind), &t) ? t_name(errno) : "ok");
        printf("child %s ", get(clock_of(child, kind), &t) ? t_name(errno) : "ok");
        printf("nobody %s ", get(clock_of(3999999, kind), &t) ? t_name(errno) : "ok");
        printf("res %s ", res(clock_of(0, kind), &t) ? t_name(errno) : "ok");
        printf("nobody's res %s\n", res(clock_of(3999999, kind), &t) ? t_name(errno) : "ok");
    }
    kill(child, SIGKILL);
    wait(NULL);
    clockid_t id;
    E(clock_getcpuclockid(0, &id));
    E(clock_getcpuclockid(3999999, &id));
    E(pthread_getcpuclockid(other, &id));
    T(clock_gettime(id, &t));
    C(t.tv_sec == 0);
    // Order: monotonic clocks agree, coarse ones lag.
    struct timespec a, b, c;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &a);
    clock_gettime(CLOCK_MONOTONIC, &b);
    clock_gettime(CLOCK_BOOTTIME, &c);
    C(a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec));
    C(b.tv_sec <= c.tv_sec);
    struct timespec r1, r2, tai;
    clock_gettime(CLOCK_REALTIME, &r1);
    clock_gettime(CLOCK_TAI, &tai);
    clock_gettime(CLOCK_REALTIME, &r2);
    C(tai.tv_sec - r1.tv_sec >= 0 && tai.tv_sec - r2.tv_sec <= 60);
    struct timeval tv;
    struct timezone tz = {-1, -1};
    T(syscall(SYS_gettimeofday, &tv, &tz));
    printf("%d %d\n", tz.tz_minuteswest, tz.tz_dsttime);
    T(syscall(SYS_gettimeofday, NULL, NULL));
    T(syscall(SYS_gettimeofday, BAD, NULL));
    T(syscall(SYS_gettimeofday, NULL, BAD));
    T(syscall(SYS_time, NULL) > 1000000000);
    T(syscall(SYS_time, BAD));
    tv = (struct timeval){0, 1000000};
    T(syscall(SYS_settimeofday, &tv, NULL));
    tv = (struct timeval){-1, 0};
    T(syscall(SYS_settimeofday, &tv, NULL));
    tv = (struct timeval){0, -1};
    T(syscall(SYS_settimeofday, &tv, NULL));
    T(syscall(SYS_settimeofday, BAD, NULL));
    T(syscall(SYS_settimeofday, NULL, BAD));
    return 0;
}
