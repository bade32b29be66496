// nanosleep and clock_nanosleep: errors of every clock, the rest after a signal, absolute times.
#include "../t.h"

static void nothing(int s) { (void)s; }
static long cn(int c, int flags, void *a, void *b) { return syscall(SYS_clock_nanosleep, c, flags, a, b); }
static void alarm_ms(long ms) {
    struct itimerval v = {{0, 0}, {ms / 1000, ms % 1000 * 1000}};
    setitimer(ITIMER_REAL, &v, NULL);
}
int main(void) {
    struct timespec t = {0, 1000}, rest, bad[] = {{0, -1}, {0, 1000000000}, {-1, 0}, {0, LONG_MAX}};
    t_handle(SIGALRM, nothing, SA_RESTART);
    for (int c = -1; c < 14; c++) {
        t = (struct timespec){0, 1000};
        if (c == CLOCK_THREAD_CPUTIME_ID || c == CLOCK_PROCESS_CPUTIME_ID) continue;
        printf("clock %d: %s ", c, cn(c, 0, &t, NULL) ? t_name(errno) : "ok");
        printf("bad %s ", cn(c, 0, &bad[1], NULL) ? t_name(errno) : "ok");
        printf("fault %s ", cn(c, 0, BAD, NULL) ? t_name(errno) : "ok");
        t = (struct timespec){1, 0};
        printf("past %s\n", cn(c, TIMER_ABSTIME, &t, NULL) ? t_name(errno) : "ok");
    }
    t = (struct timespec){0, 1000};
    T(cn(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
    T(cn(CLOCK_PROCESS_CPUTIME_ID, 0, &bad[0], NULL));
    for (int i = 0; i < 4; i++) { printf("%d ", i); T(nanosleep(&bad[i], &rest)); T(cn(CLOCK_REALTIME, TIMER_ABSTIME, &bad[i], NULL)); }
    T(nanosleep(BAD, NULL));
    t = (struct timespec){0, 0};
    T(nanosleep(&t, BAD));
    T(cn(CLOCK_MONOTONIC, 2, &t, NULL)); // unknown flags are ignored
    t = (struct timespec){10, 0};
    alarm_ms(30);
    T(nanosleep(&t, &rest));
    C(rest.tv_sec == 9 && rest.tv_nsec > 0);
    alarm_ms(30);
    T(nanosleep(&t, BAD));
    alarm_ms(30);
    T(nanosleep(&t, NULL));
    alarm_ms(30);
    rest = (struct timespec){-7, -7};
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += 10;
    T(cn(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &rest));
    N(rest.tv_sec); // not touched
    alarm_ms(30);
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 10;
    T(cn(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
    alarm_ms(30);
    t = (struct timespec){10, 0};
    T(cn(CLOCK_BOOTTIME, 0, &t, &rest));
    C(rest.tv_sec == 9);
    // An ignored signal does not end the sleep; a stop and a continue neither.
    signal(SIGALRM, SIG_IGN);
    alarm_ms(10);
    t = (struct timespec){0, 40000000};
    T(nanosleep(&t, NULL));
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    t = (struct timespec){0, 20000000};
    T(nanosleep(&t, NULL));
    clock_gettime(CLOCK_MONOTONIC, &after);
    C((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 20000000);
    pid_t p = fork();
    if (p == 0) {
        t = (struct timespec){0, 150000000};
        T(nanosleep(&t, NULL));
        _exit(0);
    }
    t_sleep_ms(30);
    kill(p, SIGSTOP);
    waitpid(p, NULL, WUNTRACED);
    kill(p, SIGCONT);
    waitpid(p, NULL, 0);
    // Processor time of the process: someone must use it.
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    T(cn(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL));
    return 0;
}
