// Threads that never give way keep all 256 or 512 bits, and the mask registers, across calls, ticks, signals and each other.
// diff: cpus=2
#include "t.h"
#include <cpuid.h>

static atomic_int wrong, running, faults;
static unsigned level; // XCR0
static __thread char *page;
static void spoil(int signal) {
    faults += signal == SIGSEGV;
    if (level & 4) __asm__ volatile("vpxor %%ymm3, %%ymm3, %%ymm3; vpxor %%ymm12, %%ymm12, %%ymm12" : : : "xmm3", "xmm12");
    if ((level & 0xe0) == 0xe0) __asm__ volatile("vpxorq %zmm20, %zmm20, %zmm20; kxorw %k3, %k3, %k3");
    if (signal == SIGSEGV) mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}
static void *thread(void *argument) {
    unsigned id = (long)argument, in[16], out[16];
    unsigned long mask = 0;
    for (unsigned i = 0; i < 16; i++) in[i] = id * 100 + i;
    page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    running++;
    while (running < 3) {}
    for (long until = t_now_ms() + 300; t_now_ms() < until;) {
        long call = SYS_getppid;
        mprotect(page, PAGE, PROT_READ);
        if ((level & 0xe0) == 0xe0)
            __asm__ volatile("vmovdqu32 (%1), %%zmm3; vmovdqu32 (%1), %%zmm20; kmovw %k4, %%k3; syscall; movb $1, (%3); mov $200000, %%ecx; 1: dec %%ecx; jnz 1b;"
                             "vpaddd %%zmm20, %%zmm3, %%zmm3; vmovdqu32 %%zmm3, (%2); kmovw %%k3, %%ecx; mov %%rcx, %5; vzeroupper"
                             : "+a"(call) : "r"(in), "r"(out), "r"(page), "r"(id), "m"(mask) : "rcx", "r11", "memory", "cc", "xmm3");
        else if (level & 4)
            __asm__ volatile("vmovdqu (%1), %%ymm3; vmovdqu 32(%1), %%ymm12; syscall; movb $1, (%3); mov $200000, %%ecx; 1: dec %%ecx; jnz 1b;"
                             "vpaddd %%ymm3, %%ymm3, %%ymm3; vpaddd %%ymm12, %%ymm12, %%ymm12; vmovdqu %%ymm3, (%2); vmovdqu %%ymm12, 32(%2); vzeroupper"
                             : "+a"(call) : "r"(in), "r"(out), "r"(page) : "rcx", "r11", "memory", "cc", "xmm3", "xmm12");
        else break;
        for (int i = 0; i < 16; i++) wrong += out[i] != 2 * in[i];
        wrong += (level & 0xe0) == 0xe0 && *(volatile unsigned long *)&mask != id;
    }
    return NULL;
}

int main(void) {
    unsigned a, b = 0, c = 0, d, hi;
    __get_cpuid(1, &a, &b, &c, &d);
    if (c & bit_OSXSAVE) __asm__ volatile("xgetbv" : "=a"(level), "=d"(hi) : "c"(0));
    __cpuid_count(7, 0, a, b, c, d);
    if (!(b & bit_AVX2)) level = 0;
    if (!(b & bit_AVX512F)) level &= 7;
    t_handle(SIGSEGV, spoil, 0);
    t_handle(SIGALRM, spoil, SA_RESTART);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL);
    pthread_t t[3];
    for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, thread, (void *)(i + 1));
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    N(wrong);
    C(faults > 0 || !(level & 4));
    return 0;
}
