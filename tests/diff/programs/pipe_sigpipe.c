// A write to a pipe without readers: SIGPIPE handled, then the default, which ends the process with 141.
#include "t.h"

static volatile sig_atomic_t count;
static void handler(int signal) { count += signal == SIGPIPE; }

int main(void) {
    int p[2];
    pipe(p);
    close(p[0]);
    t_handle(SIGPIPE, handler, 0);
    T(write(p[1], "x", 1));
    N(count);
    signal(SIGPIPE, SIG_IGN);
    T(write(p[1], "x", 1));
    N(count);
    signal(SIGPIPE, SIG_DFL);
    puts("about to die");
    write(p[1], "x", 1);
    puts("not reached");
    return 0;
}
