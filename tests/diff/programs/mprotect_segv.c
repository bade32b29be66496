// SIGSEGV with its address and code: unmapped, read only, no access, not executable; the handler repairs it.
#include "t.h"
#include <ucontext.h>

static char *page;
static volatile int faults;
static void handler(int signal, siginfo_t *info, void *context) {
    long error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    printf("signal %d code %d offset %ld error %lx trap %lld\n", signal, info->si_code, (long)((char *)info->si_addr - page), error & 0x17,
           (long long)((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO]);
    faults++;
    mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

int main(void) {
    page = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t_handle(SIGSEGV, handler, SA_SIGINFO);
    *(volatile char *)(page + 5) = 9;
    N(page[5]);
    T(mprotect(page, 2 * PAGE, PROT_NONE));
    N(*(volatile char *)(page + 5));
    T(mprotect(page, 2 * PAGE, PROT_NONE));
    *(volatile int *)(page + PAGE - 2) = -1; // across the border of two pages
    N(page[PAGE + 1]);
    page[100] = 0xc3; // ret
    T(mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE));
    ((void (*)(void))(page + 100))();
    T(mprotect(page, PAGE, PROT_READ));
    T(read(open("/dev/zero", O_RDONLY), page, 8)); // the kernel's own accesses give EFAULT, not a signal
    N(faults);
    T(munmap(page, 2 * PAGE));
    T(write(open("/dev/null", O_WRONLY), page, 8));
    int p[2];
    pipe(p);
    T(write(p[1], page, 8));
    N(faults);
    return 0;
}
