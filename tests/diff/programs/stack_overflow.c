// Endless recursion meets the limit of the stack: SIGSEGV on the alternate stack first, then exit status 139.
#include "t.h"
#include <setjmp.h>

static sigjmp_buf back;
static char *top;
static void handler(int signal, siginfo_t *info, void *unused) {
    char here;
    (void)unused;
    printf("signal %d code %d\n", signal, info->si_code);
    C(labs(top - (char *)info->si_addr) < 16l << 20);
    C(labs(top - &here) > 64l << 10);
    siglongjmp(back, 1);
}
static volatile int sink;
static int __attribute__((noinline)) endless(int n) {
    volatile char frame[512];
    frame[n & 511] = n;
    return endless(n + 1) + frame[n & 511] + sink;
}

int main(void) {
    char here;
    top = &here;
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    T(sigaltstack(&alt, NULL));
    t_handle(SIGSEGV, handler, SA_SIGINFO | SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0) endless(0);
    puts("survived");
    if (sigsetjmp(back, 1) == 0) endless(0);
    puts("again");
    t_handle(SIGSEGV, handler, SA_SIGINFO); // no stack left for the frame: killed
    if (sigsetjmp(back, 1) == 0) endless(0);
    puts("not reached");
    return 0;
}
