// The numbers and codes of processor faults; each is caught, and the instruction skipped in the context.
#include "t.h"
#include <ucontext.h>

static volatile int skip;
static void handler(int signal, siginfo_t *i, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf("signal %d code %d address is rip %d trap %lld\n", signal, i->si_code, i->si_addr == (void *)r[REG_RIP], (long long)r[REG_TRAPNO]);
    r[REG_RIP] += skip;
    r[REG_RAX] = 4711;
}

int main(void) {
    int signals[] = {SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS};
    for (int i = 0; i < 5; i++) t_handle(signals[i], handler, SA_SIGINFO);
    unsigned long rax;
    skip = 2;
    __asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; div %%ecx" : "=a"(rax) : : "rcx", "rdx", "cc");
    N(rax);
    __asm__ volatile("mov $0x80000000, %%eax; mov $-1, %%ecx; cltd; idiv %%ecx" : "=a"(rax) : : "rcx", "rdx", "cc");
    N(rax);
    __asm__ volatile("ud2" : "=a"(rax));
    N(rax);
    skip = 0;
    __asm__ volatile("int3" : "=a"(rax));
    N(rax);
    skip = 1;
    __asm__ volatile("hlt" : "=a"(rax));
    N(rax);
    skip = 2;
    __asm__ volatile("movb %%al, (%%rcx)" : "=a"(rax) : "c"(0));
    N(rax);
    return 0;
}
