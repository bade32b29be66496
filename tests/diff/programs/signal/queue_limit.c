// Real-time signals: order, values, and RLIMIT_SIGPENDING over threads and process.
#include "../t.h"
#include <sys/resource.h>

static int values[64], count;
static void handler(int s, siginfo_t *i, void *u) {
    (void)u;
    if (count < 64) values[count++] = (s - SIGRTMIN) * 100 + i->si_value.sival_int;
}
static long queue(int signal, int value) {
    union sigval v = {.sival_int = value};
    return sigqueue(getpid(), signal, v);
}

int main(void) {
    sigset_t all, old;
    setuid(54321); // the limit counts per user
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int i = 0; i < 4; i++) t_handle(SIGRTMIN + i, handler, SA_SIGINFO);
    t_handle(SIGUSR1, handler, SA_SIGINFO);
    T(queue(SIGRTMIN + 3, 1));
    T(queue(SIGRTMIN + 1, 2));
    T(queue(SIGRTMIN + 3, 3));
    T(queue(SIGRTMIN + 1, 4));
    T(queue(SIGRTMIN, 5));
    siginfo_t info;
    struct timespec zero = {0, 0};
    sigset_t rt;
    sigemptyset(&rt);
    for (int i = 0; i < 4; i++) sigaddset(&rt, SIGRTMIN + i);
    for (int i = 0; i < 6; i++) {
        int s = sigtimedwait(&rt, &info, &zero);
        if (s < 0) printf("%s\n", t_name(errno));
        else printf("RT+%d value %d code %d mine %d\n", s - SIGRTMIN, info.si_value.sival_int, info.si_code, info.si_pid == getpid());
    }
    struct rlimit limit = {4, 4};
    T(setrlimit(RLIMIT_SIGPENDING, &limit));
    for (int i = 0; i < 6; i++) T(queue(SIGRTMIN, i));
    T(queue(SIGRTMIN + 1, 9));
    T(queue(SIGUSR1, 9)); // ordinary: never lost, but without its value
    T(kill(getpid(), SIGRTMIN + 2));
    T(raise(SIGRTMIN + 3));
    T(queue(SIGUSR1, 10));
    T(sigqueue(getpid(), 0, (union sigval){0}));
    T(sigqueue(getpid(), 65, (union sigval){0}));
    T(sigqueue(99999999, SIGRTMIN, (union sigval){0}));
    // A timer takes one of the places.
    timer_t t;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    T(timer_create(CLOCK_MONOTONIC, &event, &t));
    for (int i = 0; i < 12; i++) {
        int s = sigtimedwait(&all, &info, &zero);
        if (s < 0) { printf("%s\n", t_name(errno)); break; }
        printf("%s%d value %d code %d\n", s >= SIGRTMIN ? "RT+" : "", s >= SIGRTMIN ? s - SIGRTMIN : s, info.si_value.sival_int, info.si_code);
    }
    T(timer_create(CLOCK_MONOTONIC, &event, &t));
    for (int i = 0; i < 4; i++) T(queue(SIGRTMIN, i));
    T(timer_delete(t));
    T(queue(SIGRTMIN, 4));
    T(queue(SIGRTMIN + 2, 4));
    sigprocmask(SIG_SETMASK, &old, NULL);
    for (int i = 0; i < count; i++) printf("%d ", values[i]);
    puts("");
    return 0;
}
