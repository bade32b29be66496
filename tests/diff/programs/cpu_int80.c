// int 0x80 in 64-bit code makes 32-bit calls; the vsyscall page still answers.
#include "t.h"

static long int80(long number, long b, long c, long d) {
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(b), "c"(c), "d"(d) : "r8", "r9", "r10", "r11", "memory");
    return (int)number;
}

int main(void) {
    C(int80(20, 0, 0, 0) == getpid());
    C(int80(224, 0, 0, 0) == syscall(SYS_gettid));
    N(int80(199, 0, 0, 0)); // getuid32
    N(int80(6, 999, 0, 0)); // close
    N(int80(9999, 0, 0, 0));
    struct timeval tv = {0, 0};
    time_t seconds = 0;
    N(((int (*)(struct timeval *, void *))0xffffffffff600000)(&tv, NULL));
    C(tv.tv_sec > 1700000000);
    C(((time_t (*)(time_t *))0xffffffffff600400)(&seconds) == seconds && seconds >= tv.tv_sec);
    unsigned cpu = 9999;
    N(((int (*)(unsigned *, unsigned *, void *))0xffffffffff600800)(&cpu, NULL, NULL));
    C(cpu < 1024);
    return 0;
}
