// SIGFPE without a handler: 136.
#include "t.h"

int main(void) {
    puts("before");
    __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx" : : "a"(1) : "rcx", "rdx", "cc");
    puts("not reached");
    return 0;
}
