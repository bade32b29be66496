// sigaltstack: sizes, flags, use by threads, SS_AUTODISARM, and what a handler sees.
// diff: libc=glibc
#include "../t.h"
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char stack[65536], other[65536];
static int inside(void *p, char *s) { return (char *)p >= s && (char *)p < s + sizeof stack; }
static void handler(int signal, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    int local;
    stack_t now;
    (void)i;
    sigaltstack(NULL, &now);
    printf("  %d on alternate %d, flags now %x, saved flags %x size %zu\n", signal, inside(&local, stack), (unsigned)now.ss_flags, (unsigned)c->uc_stack.ss_flags, c->uc_stack.ss_size);
    stack_t next = {other, 0, sizeof other};
    int r = sigaltstack(&next, NULL);
    printf("  change: %d %s\n", r, r ? t_name(errno) : "");
    if (signal == SIGUSR1) raise(SIGUSR2);
}
static void *thread(void *unused) {
    stack_t now;
    T(sigaltstack(NULL, &now));
    N(now.ss_flags);
    return unused;
}
static void show(void) {
    stack_t now;
    sigaltstack(NULL, &now);
    printf("stack %s flags %x size %zu\n", now.ss_sp == stack ? "first" : now.ss_sp == other ? "other" : now.ss_sp ? "?" : "none", (unsigned)now.ss_flags, now.ss_size);
}

int main(void) {
    stack_t s = {stack, 0, 100}, now;
    show();
    T(sigaltstack(&s, NULL));
    s.ss_size = 2047;
    T(sigaltstack(&s, NULL));
    s = (stack_t){stack, 4, sizeof stack};
    T(sigaltstack(&s, NULL));
    s.ss_flags = SS_ONSTACK; // accepted, as if 0
    T(sigaltstack(&s, NULL));
    show();
    s = (stack_t){stack, SS_DISABLE, 1};
    T(sigaltstack(&s, NULL));
    show();
    T(sigaltstack(BAD, NULL));
    T(sigaltstack(NULL, BAD));
    s = (stack_t){stack, 0, sizeof stack};
    T(sigaltstack(&s, &now));
    show();
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    t_handle(SIGUSR1, handler, SA_SIGINFO | SA_ONSTACK);
    t_handle(SIGUSR2, handler, SA_SIGINFO | SA_ONSTACK);
    raise(SIGUSR1);
    show();
    s = (stack_t){stack, (int)SS_AUTODISARM, sizeof stack};
    T(sigaltstack(&s, NULL));
    show();
    raise(SIGUSR2);
    show();
    s = (stack_t){stack, (int)(SS_AUTODISARM | SS_ONSTACK), sizeof stack};
    T(sigaltstack(&s, NULL));
    show();
    t_handle(SIGUSR2, handler, SA_SIGINFO); // not on it
    raise(SIGUSR2);
    show();
    if (fork() == 0) { show(); _exit(0); }
    wait(NULL);
    return 0;
}
