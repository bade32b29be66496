/* Fresh memory, and a fault that the program handles itself. */
#include "bench.h"
#include <signal.h>
#include <ucontext.h>
#include <sys/mman.h>

#define PAGE 4096L
#define MIB (1L << 20)
/* So many pages are touched before memory is given back. */
#define TOUCHED 4096L

static void *map(size_t len, int protection) {
    void *memory = mmap(NULL, len, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    return memory;
}

static void map_touch_unmap(long n) {
    while (n--) {
        volatile char *memory = map(MIB, PROT_READ | PROT_WRITE);
        for (long at = 0; at < MIB; at += PAGE)
            memory[at] = 1;
        check(munmap((void *)memory, MIB) == 0, "munmap");
    }
}

/* mmap and munmap are in it, spread over 4096 pages. */
static void touch(long n) {
    while (n > 0) {
        long pages = n < TOUCHED ? n : TOUCHED;
        volatile char *memory = map(pages * PAGE, PROT_READ | PROT_WRITE);
        for (long page = 0; page < pages; page++)
            memory[page * PAGE] = 1;
        check(munmap((void *)memory, pages * PAGE) == 0, "munmap");
        n -= pages;
    }
}

static volatile char *guarded;
static char *safe;

/* Sends the faulting instruction on to readable memory: it loads through rax. */
static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = (greg_t)safe;
}

static void fault(long n) {
    while (n--) {
        const volatile char *at = guarded;
        __asm__ volatile("movb (%0), %%cl" : "+a"(at) : : "rcx", "memory");
    }
}

int main(int argc, char **argv) {
    start(argc, argv);
    guarded = map(PAGE, PROT_NONE);
    safe = map(PAGE, PROT_READ | PROT_WRITE);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    check(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    measure("mmap + touch + munmap 1 MiB", map_touch_unmap);
    measure("first touch of a page", touch);
    measure("SIGSEGV handled", fault);
    return 0;
}
