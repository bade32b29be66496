// SIGSEGV on addresses that nobody can map, then the default action: exit status 139.
#include "t.h"
#include <setjmp.h>

static sigjmp_buf back;
static void handler(int signal, siginfo_t *info, void *unused) {
    (void)unused;
    printf("signal %d code %d addr %lx\n", signal, info->si_code, (unsigned long)info->si_addr);
    siglongjmp(back, 1);
}
static void touch(unsigned long at) {
    if (sigsetjmp(back, 1) == 0) *(volatile char *)at;
}

int main(void) {
    t_handle(SIGSEGV, handler, SA_SIGINFO);
    touch(0);
    touch(0x123);
    touch((unsigned long)HOLE);
    touch((unsigned long)KERNEL);
    touch(0xffffffffffffffff);
    if (sigsetjmp(back, 1) == 0) ((void (*)(void))0x10)();
    if (sigsetjmp(back, 1) == 0) __asm__ volatile("hlt");
    if (sigsetjmp(back, 1) == 0) __asm__ volatile("movaps %%xmm0, 1(%0)" : : "r"((unsigned long)&back & ~15ul));
    signal(SIGSEGV, SIG_DFL);
    puts("now for good");
    *(volatile char *)8 = 1;
    return 0;
}
