// alarm, setitimer (real, virtual, profiling), their answers and errors.
#include "t.h"

static volatile sig_atomic_t alarms, virtuals, profs;
static void handler(int s) { s == SIGALRM ? alarms++ : s == SIGVTALRM ? virtuals++ : profs++; }

int main(void) {
    t_handle(SIGALRM, handler, SA_RESTART);
    t_handle(SIGVTALRM, handler, SA_RESTART);
    t_handle(SIGPROF, handler, SA_RESTART);
    struct itimerval t = {{0, 0}, {0, 20000}}, old;
    T(alarm(100));
    T(alarm(50));
    T(alarm(0));
    T(alarm(0));
    T(setitimer(ITIMER_REAL, &t, &old));
    N(old.it_value.tv_sec);
    while (!alarms) t_sleep_ms(1);
    N(alarms);
    T(getitimer(ITIMER_REAL, &old));
    N(old.it_value.tv_sec); N(old.it_value.tv_usec);
    t.it_interval.tv_usec = 10000;
    T(setitimer(ITIMER_REAL, &t, NULL));
    while (alarms < 4) t_sleep_ms(1);
    T(getitimer(ITIMER_REAL, &old));
    N(old.it_interval.tv_usec);
    T(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
    alarms = 0;
    t_sleep_ms(40);
    N(alarms);
    T(setitimer(ITIMER_VIRTUAL, &t, NULL));
    while (!virtuals) {}
    T(setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 0}, {0, 0}}, &old));
    N(old.it_interval.tv_usec);
    T(setitimer(ITIMER_PROF, &t, NULL));
    while (!profs) {}
    T(setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
    C(virtuals > 0 && profs > 0);
    T(setitimer(9, &t, NULL));
    T(getitimer(9, &old));
    t.it_value.tv_usec = 1000000;
    T(setitimer(ITIMER_REAL, &t, NULL));
    t.it_value.tv_usec = -1;
    T(setitimer(ITIMER_REAL, &t, NULL));
    T(syscall(SYS_setitimer, ITIMER_REAL, NULL, &old));
    return 0;
}
