// Two threads hand a word to and fro by futex, ten thousand times, and nobody sleeps through a wake.
// diff: cpus=2
#include "t.h"

static atomic_int word;
static void turn(int mine) {
    for (int i = 0; i < 10000; i++) {
        while (word != mine) syscall(SYS_futex, &word, 128, !mine, NULL, NULL, 0L);
        word = !mine;
        syscall(SYS_futex, &word, 129, 1, NULL, NULL, 0L);
    }
}
static void *partner(void *unused) { turn(1); return unused; }

int main(void) {
    pthread_t t;
    pthread_create(&t, NULL, partner, NULL);
    turn(0);
    pthread_join(t, NULL);
    N(word);
    return 0;
}
