// Priority-inheriting mutexes, and the futex calls below them.
// diff: cpus=2
#include "t.h"

static pthread_mutex_t m;
static long counter;
static void *add(void *unused) {
    for (int i = 0; i < 3000; i++) { pthread_mutex_lock(&m); counter++; pthread_mutex_unlock(&m); }
    return unused;
}
static void *try(void *unused) {
    struct timespec past = {1, 0};
    E(pthread_mutex_trylock(&m));
    E(pthread_mutex_timedlock(&m, &past));
    return unused;
}

int main(void) {
    pthread_mutexattr_t a;
    pthread_t t[4];
    unsigned word = 0, me = syscall(SYS_gettid);
    pthread_mutexattr_init(&a);
    E(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
    E(pthread_mutex_init(&m, &a));
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, add, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(counter);
    pthread_mutex_lock(&m);
    pthread_create(&t[0], NULL, try, NULL);
    pthread_join(t[0], NULL);
    E(pthread_mutex_unlock(&m));
    T(syscall(SYS_futex, &word, 6, 0, NULL, NULL, 0L)); // FUTEX_LOCK_PI
    C(word == me);
    T(syscall(SYS_futex, &word, 6, 0, NULL, NULL, 0L));
    T(syscall(SYS_futex, &word, 8, 0, NULL, NULL, 0L)); // FUTEX_TRYLOCK_PI
    T(syscall(SYS_futex, &word, 7, 0, NULL, NULL, 0L)); // FUTEX_UNLOCK_PI
    N(word);
    T(syscall(SYS_futex, &word, 7, 0, NULL, NULL, 0L));
    T(syscall(SYS_futex, &word, 8, 0, NULL, NULL, 0L));
    C(word == me);
    T(syscall(SYS_futex, &word, 7, 0, NULL, NULL, 0L));
    return 0;
}
