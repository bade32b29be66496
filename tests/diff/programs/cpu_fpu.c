// x87, SSE, AVX and MXCSR state across system calls, signals and faults.
#include "t.h"
#include <cpuid.h>

static char *page;
static void spoil(int signal) {
    float f[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    unsigned mxcsr = 0x1f80 | 0x6000;
    (void)signal;
    __asm__ volatile("movups (%0), %%xmm0; movups (%0), %%xmm7; movups (%0), %%xmm15; ldmxcsr %1; fninit" : : "r"(f), "m"(mxcsr)
                     : "xmm0", "xmm7", "xmm15");
    if (page) mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

int main(void) {
    unsigned in[4] = {1, 2, 3, 4}, out[4], mxcsr = 0x1f80 | 0x2000, after, a, b, c, d;
    unsigned short control = 0x27f, got;
    t_handle(SIGUSR1, spoil, 0);
    t_handle(SIGSEGV, spoil, 0);
    for (int round = 0; round < 3; round++) {
        long call = round == 0 ? SYS_getpid : SYS_tkill, id = syscall(SYS_gettid), signal = SIGUSR1;
        page = round == 2 ? mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
        char *touch = page ? page : (char *)out;
        __asm__ volatile("fldcw %5; fldpi; movups (%3), %%xmm0; movups (%3), %%xmm7; movups (%3), %%xmm15; ldmxcsr %4; syscall; movb $1, (%8);"
                         "stmxcsr %0; fnstcw %1; paddd %%xmm7, %%xmm0; paddd %%xmm15, %%xmm0; movups %%xmm0, (%9); fstp %%st(0)"
                         : "=m"(after), "=m"(got), "+a"(call) : "r"(in), "m"(mxcsr), "m"(control), "D"(id), "S"(signal), "r"(touch), "r"(out)
                         : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
        printf("round %d: mxcsr %x fcw %x sum %u %u %u %u\n", round, after, got, out[0], out[1], out[2], out[3]);
        mxcsr = 0x1f80 | 0x4000;
    }
    page = NULL;
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0; fninit" : : "m"(mxcsr));
    __cpuid_count(7, 0, a, b, c, d);
    unsigned lo = 0, hi, avx = 0;
    if (b & bit_AVX2) { __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0)); avx = (lo & 6) == 6; }
    unsigned y[8] = {1, 2, 3, 4, 5, 6, 7, 8}, z[8] = {0};
    long call = SYS_tkill, id = syscall(SYS_gettid), signal = SIGUSR1;
    if (avx)
        __asm__ volatile("vmovdqu (%1), %%ymm5; vmovdqu (%1), %%ymm14; syscall; vpaddd %%ymm5, %%ymm14, %%ymm5; vmovdqu %%ymm5, (%2); vzeroupper"
                         : "+a"(call) : "r"(y), "r"(z), "D"(id), "S"(signal) : "rcx", "r11", "memory", "xmm5", "xmm14");
    int same = 1;
    for (int i = 0; i < 8; i++) same &= z[i] == 2 * y[i];
    printf("upper halves kept: %d\n", !avx || same);
    return 0;
}
