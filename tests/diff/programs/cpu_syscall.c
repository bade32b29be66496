// The instruction itself: only rax, rcx and r11 change; flags, red zone, direction flag; odd places; unknown numbers.
#include "t.h"

static unsigned long r[16];

static long raw(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return number;
}

int main(void) {
    __asm__ volatile("mov $0xb1, %%rbx; mov $0xd1, %%rdi; mov $0x51, %%rsi; mov $0xd2, %%rdx; mov $0x88, %%r8; mov $0x99, %%r9; mov $0x10, %%r10;"
                     "mov $0x12, %%r12; mov $0x13, %%r13; mov $0x14, %%r14; mov $0x15, %%r15; movq $0x77, -16(%%rsp); std; stc; mov $102, %%eax; syscall;"
                     "lea %0, %%rcx; mov %%rbx, (%%rcx); mov %%rdi, 8(%%rcx); mov %%rsi, 16(%%rcx); mov %%rdx, 24(%%rcx); mov %%r8, 32(%%rcx);"
                     "mov %%r9, 40(%%rcx); mov %%r10, 48(%%rcx); mov %%r12, 56(%%rcx); mov %%r13, 64(%%rcx); mov %%r14, 72(%%rcx); mov %%r15, 80(%%rcx);"
                     "mov -16(%%rsp), %%rbx; mov %%rbx, 88(%%rcx); lea -128(%%rsp), %%rsp; pushfq; pop %%rbx; lea 128(%%rsp), %%rsp;"
                     "and $0x401, %%ebx; mov %%rbx, 96(%%rcx); mov %%rax, 104(%%rcx); cld"
                     : "=m"(r) : : "rax", "rbx", "rcx", "rdi", "rsi", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    for (int i = 0; i < 14; i++) printf("%lx ", r[i]);
    puts("");
    N(raw(500, 0, 0, 0, 0, 0, 0));
    N(raw(100000, 0, 0, 0, 0, 0, 0));
    N(raw(-1, 0, 0, 0, 0, 0, 0));
    N(raw(512, 0, 0, 0, 0, 0, 0));        // x32's first
    N(raw(0x40000000 | 39, 0, 0, 0, 0, 0, 0));
    C(raw(0x100000000 | 39, 0, 0, 0, 0, 0, 0) == getpid()); // only eax counts
    N(raw(SYS_close, 0x100000063, 0, 0, 0, 0, 0));          // and of a descriptor only edi
    N(raw(SYS_getuid, 1, 2, 3, 4, 5, 6));
    // A call at each offset of a page's end, also across the border of two pages.
    unsigned char *code = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int right = 0;
    for (int back = 0; back < 16; back++) {
        unsigned char body[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}; // mov eax, 39; syscall; ret
        memcpy(code + PAGE - back, body, sizeof body);
        right += ((int (*)(void))(code + PAGE - back))() == getpid();
    }
    N(right);
    // A jump to the byte behind the call, and to the call itself without what stands before it.
    unsigned char loop[] = {0xb9, 3, 0, 0, 0, 0x51, 0xb8, 39, 0, 0, 0, 0xeb, 0, 0x0f, 0x05, 0x59, 0xff, 0xc9, 0x75, 0xf1, 0xc3};
    memcpy(code, loop, sizeof loop);
    C(((int (*)(void))code)() == getpid());
    unsigned char jumped[] = {0xeb, 1, 0x90, 0x0f, 0x05, 0xeb, 0, 0xc3};
    memcpy(code + 64, jumped, sizeof jumped);
    long pid = 39;
    __asm__ volatile("call *%1" : "+a"(pid) : "r"(code + 64) : "rcx", "r11", "memory");
    C(pid == getpid());
    return 0;
}
