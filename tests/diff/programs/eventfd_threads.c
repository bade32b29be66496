// Ping-pong over two blocking eventfds, and many writers into one semaphore.
// diff: cpus=2
#include "t.h"
#include <sys/eventfd.h>

static int ping, pong, sum;
static void *partner(void *unused) {
    uint64_t v;
    for (int i = 0; i < 2000; i++) {
        read(ping, &v, 8);
        v = 1;
        write(pong, &v, 8);
    }
    return unused;
}
static void *adder(void *unused) {
    uint64_t one = 1;
    for (int i = 0; i < 500; i++) write(sum, &one, 8);
    return unused;
}

int main(void) {
    ping = eventfd(0, 0), pong = eventfd(0, 0), sum = eventfd(0, EFD_SEMAPHORE);
    pthread_t t, many[8];
    uint64_t v, total = 0;
    pthread_create(&t, NULL, partner, NULL);
    for (int i = 0; i < 2000; i++) {
        v = 1;
        write(ping, &v, 8);
        read(pong, &v, 8);
        total += v;
    }
    pthread_join(t, NULL);
    N(total);
    for (int i = 0; i < 8; i++) pthread_create(&many[i], NULL, adder, NULL);
    for (total = 0; total < 4000; total += v) read(sum, &v, 8);
    for (int i = 0; i < 8; i++) pthread_join(many[i], NULL);
    N(total);
    return 0;
}
