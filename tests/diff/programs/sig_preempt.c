// A spinning thread is interrupted by tgkill, time and again, as Go preempts: on an alternate stack, each time answered.
// diff: cpus=2
#include "t.h"

static atomic_int handled, tid, stop;
static void handler(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    handled += signal == SIGURG;
}
static void *spin(void *result) {
    static char area[65536];
    sigaltstack(&(stack_t){.ss_sp = area, .ss_size = sizeof area}, NULL);
    unsigned long a = 1, b = 0, n = 0;
    tid = syscall(SYS_gettid);
    while (!stop) { // Fibonacci in registers: a lost one would show
        unsigned long t = a + b;
        b = a, a = t, n++;
        if (n == 80) { if (a != 37889062373143906) *(int *)result = 1; a = 1, b = 0, n = 0; }
    }
    return NULL;
}

int main(void) {
    int wrong = 0;
    pthread_t t;
    t_handle(SIGURG, handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART);
    pthread_create(&t, NULL, spin, &wrong);
    while (!tid) sched_yield();
    for (int i = 0; i < 200; i++) {
        int before = handled;
        if (syscall(SYS_tgkill, getpid(), tid, SIGURG)) puts("tgkill");
        while (handled == before) sched_yield();
    }
    stop = 1;
    pthread_join(t, NULL);
    N(handled); N(wrong);
    return 0;
}
