// SIGTRAP without a handler: 133.
#include "t.h"

int main(void) {
    puts("before");
    __asm__ volatile("int3");
    puts("not reached");
    return 0;
}
