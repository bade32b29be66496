// RLIMIT_CPU: a signal at the soft limit, the end at the hard one.
// diff: timeout=60
#include "job.h"
#include <sys/resource.h>

static volatile int seen;
static void on(int s) { (void)s; seen++; }
static int soft(void) { setrlimit(RLIMIT_CPU, &(struct rlimit){1, 9}); for (;;) {} return 0; }
static int both(void) { signal(SIGXCPU, on); setrlimit(RLIMIT_CPU, &(struct rlimit){1, 2}); for (;;) {} return 0; }
static int caught(void) { signal(SIGXCPU, on); setrlimit(RLIMIT_CPU, &(struct rlimit){1, 9}); while (!seen) {} struct rlimit l; getrlimit(RLIMIT_CPU, &l); N(l.rlim_cur); N(l.rlim_max); return seen; }

int main(void) {
    J(soft); J(both); J(caught);
    return 0;
}
