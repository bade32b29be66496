// Signals spare the red zone and the flags, also when they arrive in user code at any instruction.
#include "t.h"

static volatile sig_atomic_t ticks, backwards;
static void handler(int signal) {
    volatile char deep[2000];
    for (int i = 0; i < 2000; i++) deep[i] = signal;
    (void)deep[7];
    unsigned long flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    backwards += flags >> 10 & 1; // the ABI wants it clear here, whatever was interrupted
    ticks++;
}

int main(void) {
    t_handle(SIGALRM, handler, 0);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
    long rounds = 0, wrong = 0;
    while (ticks < 100) {
        unsigned long a, b, flags;
        __asm__ volatile("movq $0x1234, -8(%%rsp); movq $0x5678, -128(%%rsp); stc; std; mov $20000, %%rcx;"
                         "1: lea -1(%%rcx), %%rcx; jrcxz 2f; jmp 1b; 2:"
                         "mov -8(%%rsp), %0; mov -128(%%rsp), %1; lea -128(%%rsp), %%rsp; pushfq; pop %2; lea 128(%%rsp), %%rsp; cld"
                         : "=&r"(a), "=&r"(b), "=&r"(flags) : : "rcx", "memory", "cc");
        wrong += a != 0x1234 || b != 0x5678 || (flags & 0x401) != 0x401;
        rounds++;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    N(wrong); N(backwards);
    C(rounds > 0);
    return 0;
}
