// The saved context: registers shown right and taken back; siglongjmp out of a handler; nested handlers.
#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static void change(int signal, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal, (void)info;
    printf("rbx %llx r12 %llx r13 %llx r14 %llx r15 %llx\n", (long long)r[REG_RBX], (long long)r[REG_R12], (long long)r[REG_R13],
           (long long)r[REG_R14], (long long)r[REG_R15]);
    r[REG_RBX]++, r[REG_R12]++, r[REG_R13]++, r[REG_R14]++, r[REG_R15]++;
    r[REG_RIP] += 2;
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGTERM); // the mask after return
}
static void jump(int signal) { siglongjmp(back, signal); }

int main(void) {
    t_handle(SIGILL, change, SA_SIGINFO);
    unsigned long out[5];
    __asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r13; mov $0x4444, %%r14; mov $0x5555, %%r15; ud2;"
                     "mov %%rbx, (%0); mov %%r12, 8(%0); mov %%r13, 16(%0); mov %%r14, 24(%0); mov %%r15, 32(%0)"
                     : : "a"(out) : "rbx", "r12", "r13", "r14", "r15", "memory");
    for (int i = 0; i < 5; i++) printf("%lx ", out[i]);
    puts("");
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    N(sigismember(&now, SIGTERM)); N(sigismember(&now, SIGILL));
    t_handle(SIGUSR1, jump, 0);
    for (int i = 0; i < 3; i++) {
        int s = sigsetjmp(back, 1);
        if (s == 0) raise(SIGUSR1);
        N(s);
    }
    sigprocmask(SIG_BLOCK, NULL, &now);
    N(sigismember(&now, SIGUSR1)); // siglongjmp brought the mask back
    if (sigsetjmp(back, 0) == 0) raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    N(sigismember(&now, SIGUSR1)); // and here it did not
    return 0;
}
