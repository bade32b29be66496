// The default action of a real-time signal ends the process, blocked signals wait until they are unblocked.
#include "t.h"

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, 50);
    sigprocmask(SIG_BLOCK, &set, NULL);
    T(kill(getpid(), 50));
    puts("still here");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    puts("not reached");
    return 0;
}
