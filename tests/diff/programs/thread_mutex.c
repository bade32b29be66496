// Mutexes of each kind, contended; trylock and timedlock; errors.
// diff: cpus=2
#include "t.h"

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, r, e;
static long counter;
static void *add(void *unused) {
    for (int i = 0; i < 20000; i++) { pthread_mutex_lock(&m); counter++; pthread_mutex_unlock(&m); }
    return unused;
}
static void *other(void *unused) {
    struct timespec until;
    E(pthread_mutex_trylock(&m));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    E(pthread_mutex_timedlock(&m, &until));
    E(pthread_mutex_trylock(&r));
    E(pthread_mutex_unlock(&e));
    return unused;
}

int main(void) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, add, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(counter);
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    E(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE));
    E(pthread_mutex_init(&r, &a));
    E(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK));
    E(pthread_mutex_init(&e, &a));
    E(pthread_mutexattr_settype(&a, 99));
    E(pthread_mutex_lock(&r));
    E(pthread_mutex_lock(&r));
    E(pthread_mutex_lock(&e));
    E(pthread_mutex_lock(&e));
    E(pthread_mutex_lock(&m));
    pthread_create(&t[0], NULL, other, NULL);
    pthread_join(t[0], NULL);
    E(pthread_mutex_unlock(&m));
    E(pthread_mutex_unlock(&r));
    E(pthread_mutex_unlock(&r));
    E(pthread_mutex_unlock(&e));
    E(pthread_mutex_unlock(&e));
    return 0;
}
