// exit in a thread ends all the others, whatever they do: spinning, sleeping, blocked in a read.
// diff: cpus=2
#include "t.h"

static atomic_int started;
static int p[2];
static void *spin(void *unused) { started++; for (;;) {} return unused; }
static void *block(void *unused) { started++; read(p[0], (char[1]){0}, 1); return unused; }
static void *nap(void *unused) { started++; sleep(1000); return unused; }
static void *end(void *unused) {
    while (started < 3) sched_yield();
    puts("ending all");
    exit(42);
    return unused;
}

int main(void) {
    pthread_t t;
    pipe(p);
    void *(*work[])(void *) = {spin, block, nap, end};
    for (int i = 0; i < 4; i++) pthread_create(&t, NULL, work[i], NULL);
    for (;;) pause();
}
