// A fault whose signal is blocked or ignored kills: the handler is not called. 139.
#include "t.h"

static void handler(int signal) { printf("handler %d, not reached\n", signal); }

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    t_handle(SIGSEGV, handler, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    puts("before");
    *(volatile int *)16 = 1;
    puts("not reached");
    return 0;
}
