// pthread mutexes with priority inheritance and robustness, and condition variables over them.
// diff: cpus=2; libc=glibc
#include "../t.h"

static pthread_mutex_t m;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int turn, count;
static void make(int protocol, int robust, int type, int shared, pthread_mutex_t *to) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, protocol);
    pthread_mutexattr_setrobust(&a, robust);
    pthread_mutexattr_settype(&a, type);
    pthread_mutexattr_setpshared(&a, shared);
    if (pthread_mutex_init(to, &a)) puts("init failed");
}
static void *dies(void *p) { pthread_mutex_lock(p); return NULL; }
static void *adds(void *p) {
    for (int i = 0; i < 5000; i++) { pthread_mutex_lock(p); count++; pthread_mutex_unlock(p); }
    return NULL;
}
static void *turns(void *arg) {
    int me = (int)(long)arg;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&m);
        while (turn != me) pthread_cond_wait(&c, &m);
        turn = !me;
        count++;
        pthread_cond_broadcast(&c);
        pthread_mutex_unlock(&m);
    }
    return NULL;
}
int main(void) {
    pthread_t t[3];
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PROCESS_PRIVATE, &m);
    E(pthread_mutex_lock(&m));
    E(pthread_mutex_lock(&m));
    E(pthread_mutex_trylock(&m));
    E(pthread_mutex_unlock(&m));
    E(pthread_mutex_unlock(&m));
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE, &m);
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, adds, &m);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    N(count);
    count = 0;
    for (long i = 0; i < 2; i++) pthread_create(&t[i], NULL, turns, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    N(count);
    for (int pi = 0; pi < 2; pi++) {
        make(pi ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE, &m);
        pthread_create(&t[0], NULL, dies, &m);
        pthread_join(t[0], NULL);
        E(pthread_mutex_lock(&m));
        E(pthread_mutex_consistent(&m));
        E(pthread_mutex_unlock(&m));
        E(pthread_mutex_lock(&m));
        E(pthread_mutex_unlock(&m));
        pthread_create(&t[0], NULL, dies, &m);
        pthread_join(t[0], NULL);
        E(pthread_mutex_lock(&m));
        E(pthread_mutex_unlock(&m)); // not made consistent
        E(pthread_mutex_lock(&m));
    }
    // Between processes, with an owner that is killed.
    pthread_mutex_t *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int pi = 0; pi < 2; pi++) {
        make(pi ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED, s);
        int ready[2];
        char b;
        pipe(ready);
        pid_t p = fork();
        if (p == 0) { pthread_mutex_lock(s); write(ready[1], "x", 1); for (;;) pause(); }
        read(ready[0], &b, 1);
        struct timespec limit;
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += 20000000;
        if (limit.tv_nsec > 999999999) { limit.tv_nsec -= 1000000000; limit.tv_sec++; }
        E(pthread_mutex_timedlock(s, &limit));
        E(pthread_mutex_trylock(s));
        kill(p, SIGKILL);
        E(pthread_mutex_lock(s));
        waitpid(p, NULL, 0);
        E(pthread_mutex_consistent(s));
        E(pthread_mutex_unlock(s));
    }
    return 0;
}
