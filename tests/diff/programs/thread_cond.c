// Condition variables, barriers, read-write locks, semaphores, once.
// diff: cpus=2
#include "t.h"
#include <semaphore.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem;
static int slot, has;
static long sum, shared, reads;
static atomic_int serial, onces;
static void init(void) { onces++; }
static void *consume(void *unused) {
    for (;;) {
        pthread_mutex_lock(&m);
        while (!has) pthread_cond_wait(&full, &m);
        int got = slot;
        has = 0;
        if (got < 0) has = 1;
        else sum += got;
        pthread_mutex_unlock(&m);
        pthread_cond_signal(got < 0 ? &full : &empty);
        if (got < 0) return unused;
    }
}
static void *round_trip(void *unused) {
    for (int i = 0; i < 50; i++) {
        pthread_once(&once, init);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
        pthread_rwlock_wrlock(&rw); shared++; pthread_rwlock_unlock(&rw);
        pthread_rwlock_rdlock(&rw); __atomic_fetch_add(&reads, shared > 0, __ATOMIC_RELAXED); pthread_rwlock_unlock(&rw);
    }
    sem_post(&sem);
    return unused;
}

int main(void) {
    pthread_t t[4];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, consume, NULL);
    for (int i = 0; i <= 3000; i++) {
        pthread_mutex_lock(&m);
        while (has) pthread_cond_wait(&empty, &m);
        slot = i < 3000 ? i : -1, has = 1;
        pthread_mutex_unlock(&m);
        pthread_cond_signal(&full);
    }
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    N(sum);
    sem_init(&sem, 0, 0);
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, round_trip, NULL);
    for (int i = 0; i < 4; i++) sem_wait(&sem);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    N(serial); N(shared); N(reads); N(onces);
    T(sem_trywait(&sem));
    struct timespec past = {1, 0};
    T(sem_timedwait(&sem, &past));
    pthread_mutex_lock(&m);
    E(pthread_cond_timedwait(&full, &m, &past));
    E(pthread_mutex_unlock(&m));
    E(pthread_rwlock_rdlock(&rw));
    E(pthread_rwlock_trywrlock(&rw));
    E(pthread_rwlock_tryrdlock(&rw));
    return 0;
}
