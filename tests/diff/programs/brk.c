// brk: grows with zero pages, shrinks, refuses nonsense by answering the old break.
#include "t.h"

int main(void) {
    puts("the heap is in use before");
    char *start = (char *)syscall(SYS_brk, 0), *now;
    C(start != NULL);
    now = (char *)syscall(SYS_brk, start + 100000);
    N(now - start);
    long sum = 0;
    for (int i = 0; i < 100000; i++) sum += start[i];
    N(sum);
    memset(start, 1, 100000);
    now = (char *)syscall(SYS_brk, start + 50000);
    N(now - start);
    N(start[49999]);
    now = (char *)syscall(SYS_brk, start + 100000);
    N(start[49999]); N(start[60000]); // pages that went came back empty
    now = (char *)syscall(SYS_brk, 8);
    N(now - start);
    now = (char *)syscall(SYS_brk, KERNEL);
    N(now - start);
    now = (char *)syscall(SYS_brk, start);
    N(now - start);
    now = (char *)syscall(SYS_brk, start + 1);
    N(now - start);
    start[PAGE - 1 - ((uintptr_t)start & (PAGE - 1))] = 1;
    return 0;
}
