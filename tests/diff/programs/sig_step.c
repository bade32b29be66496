// The trap flag: SIGTRAP after each instruction until the handler clears it in the context.
#include "t.h"
#include <ucontext.h>

static volatile int steps;
static void handler(int signal, siginfo_t *i, void *context) {
    if (steps == 0) printf("signal %d code %d\n", signal, i->si_code);
    if (++steps == 3) ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
}

int main(void) {
    t_handle(SIGTRAP, handler, SA_SIGINFO);
    unsigned long n;
    __asm__ volatile("xor %%eax, %%eax; pushfq; orq $0x100, (%%rsp); popfq; inc %%eax; inc %%eax; inc %%eax; inc %%eax; inc %%eax"
                     : "=a"(n) : : "cc", "memory");
    N(n); N(steps);
    return 0;
}
