// abort: the handler runs, then 134 all the same; atexit does not run.
#include "t.h"

static void handler(int signal) { printf("handler %d\n", signal); }
static void bye(void) { puts("atexit, not reached"); }

int main(void) {
    atexit(bye);
    t_handle(SIGABRT, handler, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    abort();
}
