// What a handler changes in its context holds when it returns: registers, mask, instruction pointer, flags.
// diff: libc=glibc
#include "../t.h"
#include <ucontext.h>

extern void landed(void);
static void change_mask(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    (void)s; (void)i;
    printf("  saved mask has USR2: %d\n", sigismember(&c->uc_sigmask, SIGUSR2));
    sigaddset(&c->uc_sigmask, SIGUSR2);
    sigaddset(&c->uc_sigmask, SIGKILL);
}
static void skip_trap(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    (void)s; (void)i;
    c->uc_mcontext.gregs[REG_RIP] += 2;
    c->uc_mcontext.gregs[REG_RAX] = 0x1234567890abcdef;
    c->uc_mcontext.gregs[REG_RBX] = 77;
    c->uc_mcontext.gregs[REG_R8] = 8;
    c->uc_mcontext.gregs[REG_R15] = 15;
    c->uc_mcontext.gregs[REG_EFL] |= 1; // carry
    c->uc_mcontext.gregs[REG_EFL] |= 0x3000; // IOPL is not ours to set
}
static void result(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    (void)s; (void)i;
    c->uc_mcontext.gregs[REG_RAX] = 4242;
}
static void frame(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    (void)i;
    printf("  %d flags %lx link %d cs %llx ss %llx fpregs %d aligned %d onstack %d\n", s, c->uc_flags & 1, c->uc_link == NULL,
        (long long)c->uc_mcontext.gregs[REG_CSGSFS] & 0xffff, (long long)c->uc_mcontext.gregs[REG_CSGSFS] >> 48 & 0xffff,
        c->uc_mcontext.fpregs != NULL, ((uintptr_t)c->uc_mcontext.fpregs & 63) == 0, c->uc_stack.ss_flags);
    unsigned magic1 = ((unsigned *)c->uc_mcontext.fpregs)[464 / 4];
    printf("  magic1 %x mxcsr %x\n", magic1, c->uc_mcontext.fpregs->mxcsr);
    c->uc_mcontext.fpregs->_xmm[5].element[0] = 0x55aa55aa;
}

int main(void) {
    sigset_t now;
    t_handle(SIGUSR1, change_mask, SA_SIGINFO);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("blocked: USR1 %d USR2 %d KILL %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2), sigismember(&now, SIGKILL));
    t_handle(SIGILL, skip_trap, SA_SIGINFO);
    unsigned long a = 0, b = 0, r8 = 0, r15 = 0, flags = 0;
    __asm__ volatile("clc\n ud2\n movq %%rax, %0\n movq %%rbx, %1\n movq %%r8, %2\n movq %%r15, %3\n pushfq\n popq %4"
        : "=m"(a), "=m"(b), "=m"(r8), "=m"(r15), "=r"(flags)::"rax", "rbx", "r8", "r15", "cc", "memory");
    printf("%lx %lu %lu %lu carry %lu iopl %lu\n", a, b, r8, r15, flags & 1, flags >> 12 & 3);
    t_handle(SIGUSR1, result, SA_SIGINFO);
    N(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1));
    t_handle(SIGUSR1, frame, SA_SIGINFO);
    unsigned x[4] = {1, 2, 3, 4}, y[4];
    long pid = getpid(), r;
    __asm__ volatile("movups %2, %%xmm5\n syscall\n movups %%xmm5, %1"
        : "=a"(r), "=m"(y) : "m"(x), "0"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1) : "rcx", "r11", "xmm5", "memory");
    printf("%ld xmm5 %x %x %x %x\n", r, y[0], y[1], y[2], y[3]);
    // getcontext and swapcontext work on top of it.
    ucontext_t c;
    volatile int times = 0;
    getcontext(&c);
    if (times++ < 3) setcontext(&c);
    N(times);
    return 0;
}
