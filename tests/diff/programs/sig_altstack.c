// sigaltstack: where handlers run, what may be changed and when.
#include "t.h"

static char area[65536], other[65536];
static void handler(int signal) {
    char here;
    stack_t now;
    printf("signal %d on the alternate stack: %d\n", signal, &here >= area && &here < area + sizeof area);
    T(sigaltstack(NULL, &now));
    N(now.ss_flags);
    stack_t next = {.ss_sp = other, .ss_size = sizeof other};
    T(sigaltstack(&next, NULL));
    if (signal == SIGUSR1) raise(SIGUSR2); // stays on it
}
static void *thread(void *unused) {
    stack_t now;
    T(sigaltstack(NULL, &now));
    N(now.ss_flags);
    raise(SIGUSR2);
    return unused;
}

int main(void) {
    stack_t s = {.ss_sp = area, .ss_size = sizeof area}, now;
    T(sigaltstack(NULL, &now));
    N(now.ss_flags); N(now.ss_size);
    T(sigaltstack(&s, NULL));
    T(sigaltstack(NULL, &now));
    N(now.ss_flags); N(now.ss_size);
    C(now.ss_sp == area);
    t_handle(SIGUSR1, handler, SA_ONSTACK);
    t_handle(SIGUSR2, handler, SA_ONSTACK);
    raise(SIGUSR1);
    t_handle(SIGUSR1, handler, 0);
    raise(SIGUSR1);
    s.ss_size = 100;
    T(syscall(SYS_sigaltstack, &s, NULL));
    s.ss_flags = 77;
    T(syscall(SYS_sigaltstack, &s, NULL));
    s = (stack_t){.ss_flags = SS_DISABLE};
    T(sigaltstack(&s, &now));
    N(now.ss_flags);
    T(sigaltstack(NULL, &now));
    N(now.ss_flags);
    s = (stack_t){.ss_sp = area, .ss_size = sizeof area};
    T(sigaltstack(&s, NULL));
    pthread_t t; // an alternate stack is not inherited
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    return 0;
}
