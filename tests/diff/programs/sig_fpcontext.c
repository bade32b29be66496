// The floating-point state in a signal frame: shown as it was, and taken back as the handler leaves it.
#include "t.h"
#include <ucontext.h>

static void handler(int signal, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    (void)signal, (void)info;
    unsigned *xmm = (unsigned *)((char *)u->uc_mcontext.fpregs + 160), *mxcsr = (unsigned *)((char *)u->uc_mcontext.fpregs + 24);
    C((uintptr_t)u->uc_mcontext.fpregs % 64 == 0);
    printf("xmm0 %u %u %u %u xmm6 %u mxcsr %x fcw %x\n", xmm[0], xmm[1], xmm[2], xmm[3], xmm[24], *mxcsr, *(unsigned short *)u->uc_mcontext.fpregs);
    unsigned now;
    __asm__ volatile("stmxcsr %0" : "=m"(now));
    N(now); // a handler starts with the default
    xmm[0] = 77, xmm[24] = 88;
    *mxcsr = 0x5f80;
    u->uc_mcontext.gregs[REG_RIP] += 2;
}

int main(void) {
    unsigned in[4] = {1, 2, 3, 4}, out[8], mxcsr = 0x3f80, after, usual = 0x1f80;
    t_handle(SIGILL, handler, SA_SIGINFO);
    for (int i = 0; i < 2; i++) {
        __asm__ volatile("movups (%1), %%xmm0; movups (%1), %%xmm6; ldmxcsr %3; ud2; stmxcsr %0; movups %%xmm0, (%2); movups %%xmm6, 16(%2); ldmxcsr %4"
                         : "=m"(after) : "r"(in), "r"(out), "m"(mxcsr), "m"(usual) : "xmm0", "xmm6", "memory");
        printf("after: %u %u %u %u, %u %u, mxcsr %x\n", out[0], out[1], out[2], out[3], out[4], out[5], after);
        in[1] = 20;
    }
    return 0;
}
