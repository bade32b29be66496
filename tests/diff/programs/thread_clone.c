// Threads by raw clone, as Go makes them: own stack, own TLS word, the id stored and cleared with a wake.
// diff: cpus=2
#include "t.h"

#define FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000) // VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
static atomic_int id, parent_id, answer;
static long tls[64];
static char stack[65536] __attribute__((aligned(16)));
// Returns only in the parent: the child runs the body on its own stack and leaves. It calls no library function, having no TLS of its own.
__attribute__((noinline)) static long start(unsigned long flags) {
    register long r10 __asm__("r10") = (long)&id;
    register long r8 __asm__("r8") = (long)tls;
    long result;
    __asm__ volatile("syscall; test %%rax, %%rax; jnz 1f;"
                     "mov $186, %%eax; syscall; mov %%eax, %[answer]; mov %%fs:8, %%rbx; add %%ebx, %[answer];"
                     "mov $60, %%eax; xor %%edi, %%edi; syscall; 1:"
                     : "=a"(result), [answer] "+m"(answer) : "a"(56l), "D"(flags), "S"(stack + sizeof stack), "d"(&parent_id), "r"(r10), "r"(r8)
                     : "rcx", "r11", "rbx", "memory", "cc");
    return result;
}
static void wait_gone(void) {
    for (int v; (v = id) != 0;) syscall(SYS_futex, &id, 0, v, NULL, NULL, 0L);
}

int main(void) {
    tls[1] = 1000;
    for (int i = 0; i < 100; i++) {
        atomic_store(&id, 1);
        atomic_store(&answer, 0);
        // SETTLS, PARENT_SETTID, CHILD_CLEARTID, CHILD_SETTID
        long child = start(FLAGS | 0x80000 | 0x100000 | 0x200000 | 0x1000000);
        wait_gone();
        if (child <= 0 || child == getpid() || parent_id != child || answer != child + 1000) printf("round %d: wrong\n", i);
    }
    puts("a hundred threads");
    N(start(0x10000));
    N(start(0x800));
    N(start(FLAGS & ~0x100ul));
    return 0;
}
