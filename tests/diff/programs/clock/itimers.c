// setitimer's three timers, alarm, and how they inherit.
// diff: timeout=60
#include "../t.h"
#include <sys/resource.h>

static volatile int got[65];
static void handler(int s) { got[s]++; }
static void spin(int s) { for (volatile long n = 0; !got[s] && n < 4000000000; n++) {} }
int main(void) {
    struct itimerval v = {{0, 0}, {0, 10000}}, old;
    t_handle(SIGALRM, handler, 0);
    t_handle(SIGVTALRM, handler, 0);
    t_handle(SIGPROF, handler, 0);
    T(setitimer(3, &v, NULL));
    T(setitimer(-1, &v, NULL));
    T(getitimer(3, &old));
    T(getitimer(ITIMER_REAL, BAD));
    T(setitimer(ITIMER_REAL, BAD, NULL));
    v.it_value.tv_usec = 1000000;
    T(setitimer(ITIMER_REAL, &v, NULL));
    v = (struct itimerval){{0, -1}, {0, 1}};
    T(setitimer(ITIMER_REAL, &v, NULL));
    v = (struct itimerval){{0, 0}, {-1, 0}};
    T(setitimer(ITIMER_VIRTUAL, &v, NULL));
    T(syscall(SYS_setitimer, ITIMER_REAL, NULL, &old));
    v = (struct itimerval){{3, 0}, {50, 0}};
    T(setitimer(ITIMER_REAL, &v, NULL));
    T(getitimer(ITIMER_REAL, &old));
    N(old.it_interval.tv_sec); C(old.it_value.tv_sec == 49 || old.it_value.tv_sec == 50);
    T(alarm(100) >= 49);
    T(getitimer(ITIMER_REAL, &old)); N(old.it_interval.tv_sec);
    T(alarm(0));
    T(alarm(0));
    v = (struct itimerval){{0, 0}, {0, 300000}};
    setitimer(ITIMER_REAL, &v, NULL);
    T(alarm(0)); // less than half a second is 1
    v = (struct itimerval){{0, 0}, {1, 600000}};
    setitimer(ITIMER_REAL, &v, NULL);
    T(alarm(0));
    v = (struct itimerval){{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &v, NULL);
    while (got[SIGALRM] < 3) pause();
    N(got[SIGALRM] >= 3);
    alarm(0);
    for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
        int s = which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF;
        v = (struct itimerval){{0, 0}, {0, 20000}};
        T(setitimer(which, &v, NULL));
        T(getitimer(which, &old)); C(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 24000);
        spin(s);
        N(got[s]);
        T(getitimer(which, &old)); N(old.it_value.tv_usec);
        v = (struct itimerval){{0, 8000}, {0, 8000}};
        T(setitimer(which, &v, NULL));
        got[s] = 0;
        for (volatile long n = 0; got[s] < 3 && n < 4000000000; n++) {}
        C(got[s] >= 3);
        v = (struct itimerval){{0, 0}, {0, 0}};
        T(setitimer(which, &v, &old)); N(old.it_interval.tv_usec);
    }
    v = (struct itimerval){{0, 0}, {50, 0}};
    setitimer(ITIMER_REAL, &v, NULL);
    if (fork() == 0) { getitimer(ITIMER_REAL, &old); N(old.it_value.tv_sec); _exit(0); }
    wait(NULL);
    // The limit of processor time: SIGXCPU at the soft one.
    pid_t p = fork();
    if (p == 0) {
        struct rlimit l = {1, 2};
        t_handle(SIGXCPU, handler, 0);
        setrlimit(RLIMIT_CPU, &l);
        spin(SIGXCPU);
        N(got[SIGXCPU]);
        for (volatile long n = 0;; n++) {}
    }
    int status;
    waitpid(p, &status, 0);
    printf("%x\n", status);
    return 0;
}
