// siginfo of faults: code, address, trap number and error code in the frame; and going on behind the fault.
#include "../t.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static char *page;
static void handler(int s, siginfo_t *i, void *u) {
    ucontext_t *c = u;
    printf("  signal %d code %d at %s errno %d trap %lld error %lld", s, i->si_code,
        i->si_addr == NULL ? "0" : (char *)i->si_addr >= page && (char *)i->si_addr < page + 4 * PAGE ? "page" :
        (uintptr_t)i->si_addr == c->uc_mcontext.gregs[REG_RIP] ? "rip" : "elsewhere",
        i->si_errno, (long long)c->uc_mcontext.gregs[REG_TRAPNO], (long long)c->uc_mcontext.gregs[REG_ERR]);
    if (s == SIGSEGV && i->si_code > 0 && i->si_code < 128) printf(" cr2 right %d", (uintptr_t)c->uc_mcontext.gregs[REG_CR2] == (uintptr_t)i->si_addr);
    puts("");
    siglongjmp(back, 1);
}
#define TRY(what, code) do { puts(what); if (!sigsetjmp(back, 1)) { code; puts("  nothing happened"); } } while (0)

int main(void) {
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++) t_handle(signals[i], handler, SA_SIGINFO);
    page = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + PAGE, PAGE, PROT_READ);
    mprotect(page + 2 * PAGE, PAGE, PROT_NONE);
    volatile char *p = page;
    p[0] = 1;
    *(page + 0) = (char)0xc3;
    TRY("read NULL", (void)*(volatile char *)NULL);
    TRY("write NULL", *(volatile char *)NULL = 1);
    TRY("write a read-only page", p[PAGE] = 1);
    TRY("read a closed page", (void)p[2 * PAGE]);
    TRY("write a closed page", p[2 * PAGE] = 1);
    munmap(page + 3 * PAGE, PAGE);
    TRY("read what is not mapped", (void)p[3 * PAGE]);
    TRY("run data", ((void (*)(void))page)());
    TRY("run NULL", ((void (*)(void))NULL)());
    TRY("non-canonical read", (void)*(volatile char *)0x8000000000000000ul);
    TRY("kernel read", (void)*(volatile char *)0xffffffff80000000ul);
    TRY("kernel write", *(volatile char *)0xffff888000000000ul = 1);
    TRY("ud2", __asm__ volatile("ud2"));
    TRY("int3", __asm__ volatile("int3"));
    TRY("hlt", __asm__ volatile("hlt"));
    TRY("int 4", __asm__ volatile("int $4"));
    TRY("int 13", __asm__ volatile("int $13"));
    TRY("int 100", __asm__ volatile("int $100"));
    TRY("cli", __asm__ volatile("cli"));
    TRY("in", __asm__ volatile("inb $0x70, %%al" ::: "al"));
    TRY("rdmsr", __asm__ volatile("rdmsr" ::"c"(0x10) : "eax", "edx"));
    TRY("divide by 0", __asm__ volatile("xorl %%ecx, %%ecx\n divl %%ecx" ::: "eax", "ecx", "edx"));
    TRY("divide overflow", __asm__ volatile("movl $1, %%ecx\n movl $2, %%edx\n divl %%ecx" ::: "eax", "ecx", "edx"));
    TRY("misaligned movaps", __asm__ volatile("movaps 1(%0), %%xmm0" ::"r"(page) : "xmm0"));
    // SSE exceptions, unmasked one at a time: invalid, denormal, divide, overflow, underflow, inexact.
    static const unsigned masks[] = {0x80, 0x100, 0x200, 0x400, 0x800, 0x1000};
    static const double left[] = {0.0, 1e-310, 1.0, 1e300, 1e-300, 1.0}, right[] = {0.0, 1.0, 0.0, 1e-300, 1e300, 3.0};
    for (int i = 0; i < 6; i++) {
        unsigned csr = 0x1f80 & ~masks[i], normal = 0x1f80;
        double a = left[i], b = right[i];
        printf("sse %d", i);
        TRY("", __asm__ volatile("ldmxcsr %0\n movsd %1, %%xmm0\n divsd %2, %%xmm0" ::"m"(csr), "m"(a), "m"(b) : "xmm0"));
        __asm__ volatile("ldmxcsr %0" ::"m"(normal));
    }
    // The same by x87: the exception comes with the next instruction that waits.
    for (int i = 0; i < 6; i++) {
        unsigned short word = (unsigned short)(0x37f & ~(1 << i));
        double a = left[i], b = right[i];
        printf("x87 %d", i);
        TRY("", __asm__ volatile("fninit\n fldcw %0\n fldl %1\n fdivl %2\n fstpl %1\n fwait" ::"m"(word), "m"(a), "m"(b)));
        __asm__ volatile("fninit");
    }
    t_scratch();
    int fd = t_file("fault_bus", "x");
    char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    munmap(page, 3 * PAGE);
    page = m;
    p = m;
    TRY("behind the end of a file", (void)p[PAGE]);
    TRY("write behind the end of a file", p[PAGE + 5] = 1);
    ftruncate(fd, 0);
    TRY("a file that became shorter", (void)p[0]);
    unlink("fault_bus");
    return 0;
}
