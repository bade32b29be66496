// SIGKILL to oneself, though all signals are blocked: 137.
#include "t.h"

int main(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    puts("before");
    kill(getpid(), SIGKILL);
    puts("not reached");
    return 0;
}
