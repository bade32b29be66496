// Threads that never give way keep their vector registers, rounding modes and x87 stacks from each other.
// diff: cpus=2
#include "t.h"

static atomic_int wrong, running;
static void *thread(void *argument) {
    unsigned id = (long)argument, in[4] = {id, id * 2, id * 3, id * 4}, out[4], after;
    unsigned mxcsr = 0x1f80 | (id & 3) << 13;
    unsigned short control = 0x37f | (id & 3) << 10, got;
    unsigned long tag;
    running++;
    while (running < 4) {} // preempted, or this never ends on one CPU
    for (long until = t_now_ms() + 300; t_now_ms() < until;) {
        __asm__ volatile("movups (%4), %%xmm1; movups (%4), %%xmm9; ldmxcsr %5; fldcw %6; mov %7, %%r13; mov $400000, %%ecx;"
                         "1: dec %%ecx; jnz 1b; paddd %%xmm9, %%xmm1; movups %%xmm1, (%8); stmxcsr %0; fnstcw %1; mov %%r13, %2; ldmxcsr %3"
                         : "=m"(after), "=m"(got), "=r"(tag) : "m"((unsigned){0x1f80}), "r"(in), "m"(mxcsr), "m"(control), "r"((unsigned long)id), "r"(out)
                         : "rcx", "r13", "memory", "xmm1", "xmm9", "cc");
        for (int i = 0; i < 4; i++) wrong += out[i] != 2 * in[i];
        wrong += (after & 0x6000) != (mxcsr & 0x6000) || got != control || tag != id;
    }
    return NULL;
}

int main(void) {
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, thread, (void *)(i + 1));
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(wrong);
    return 0;
}
