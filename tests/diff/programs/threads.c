// Threads: arguments, results, detaching, ids, many of them, errors.
// diff: cpus=2
#include "t.h"

static void *twice(void *n) { return (void *)((long)n * 2); }
static void *leave(void *n) { pthread_exit(n); }
static void *ids(void *parent) {
    C(getpid() == *(pid_t *)parent);
    C(syscall(SYS_gettid) != getpid());
    return NULL;
}
static atomic_int left;
static void *detached(void *unused) { left--; return unused; }

int main(void) {
    pthread_t t[64];
    void *result;
    pid_t me = getpid();
    C(syscall(SYS_gettid) == me);
    long sum = 0;
    for (long i = 0; i < 64; i++)
        if (pthread_create(&t[i], NULL, twice, (void *)i)) puts("create");
    for (int i = 0; i < 64; i++) { pthread_join(t[i], &result); sum += (long)result; }
    N(sum);
    pthread_create(&t[0], NULL, leave, (void *)77);
    pthread_join(t[0], &result);
    N((long)result);
    pthread_create(&t[0], NULL, ids, &me);
    pthread_join(t[0], NULL);
    left = 100;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 100; i++)
        while (pthread_create(&t[0], &a, detached, NULL)) usleep(1000);
    while (left) usleep(1000);
    puts("detached threads are gone");
    for (int i = 0; i < 1000; i++) { pthread_create(&t[0], NULL, twice, (void *)1); pthread_join(t[0], NULL); }
    puts("a thousand in a row");
    E(pthread_attr_setstacksize(&a, 1));
    pthread_create(&t[0], NULL, twice, NULL);
    E(pthread_detach(t[0]));
    C(pthread_equal(pthread_self(), pthread_self()));
    return 0;
}
