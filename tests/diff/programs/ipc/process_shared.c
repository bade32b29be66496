// Mutexes, conditions, barriers and POSIX semaphores between processes, in several kinds of shared memory.
// diff: cpus=2
#include "ipc.h"
#include <semaphore.h>

struct shared { pthread_mutex_t mutex; pthread_cond_t cond; pthread_barrier_t barrier; sem_t sem; int count, ready; } *s;
static int adds(void) {
    pthread_barrier_wait(&s->barrier);
    for (int i = 0; i < 500; i++) { pthread_mutex_lock(&s->mutex); s->count++; pthread_mutex_unlock(&s->mutex); }
    return 0;
}
static int consumes(void) {
    pthread_mutex_lock(&s->mutex);
    while (!s->ready) pthread_cond_wait(&s->cond, &s->mutex);
    s->ready--;
    pthread_mutex_unlock(&s->mutex);
    return sem_post(&s->sem);
}
static int dies_locked(void) { return pthread_mutex_lock(&s->mutex); }
static void *place(int kind) {
    size_t size = sizeof *s;
    if (kind == 0) return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kind == 1) { int id = shmget(IPC_PRIVATE, size, 0600); void *at = shmat(id, NULL, 0); shmctl(id, IPC_RMID, NULL); return at; }
    int fd = kind == 2 ? memfd_create("x", 0) : open("shared-file", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, size)) return NULL;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at;
}

int main(void) {
    t_scratch();
    for (int kind = 0; kind < 4; kind++) {
        s = place(kind);
        memset(s, 0, sizeof *s);
        pthread_mutexattr_t ma; pthread_condattr_t ca; pthread_barrierattr_t ba;
        pthread_mutexattr_init(&ma), pthread_condattr_init(&ca), pthread_barrierattr_init(&ba);
        pthread_mutexattr_setpshared(&ma, 1), pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST), pthread_condattr_setpshared(&ca, 1), pthread_barrierattr_setpshared(&ba, 1);
        pthread_mutex_init(&s->mutex, &ma), pthread_cond_init(&s->cond, &ca), pthread_barrier_init(&s->barrier, &ba, 4), sem_init(&s->sem, 1, 0);
        for (int i = 0; i < 4; i++) j_start(adds);
        while (wait(NULL) > 0) {}
        N(s->count);
        for (int i = 0; i < 3; i++) j_start(consumes);
        for (int i = 0; i < 3; i++) { pthread_mutex_lock(&s->mutex); s->ready++; pthread_cond_signal(&s->cond); pthread_mutex_unlock(&s->mutex); }
        for (int i = 0; i < 3; i++) sem_wait(&s->sem);
        while (wait(NULL) > 0) {}
        J(dies_locked);
        E(pthread_mutex_lock(&s->mutex)); E(pthread_mutex_consistent(&s->mutex)); E(pthread_mutex_unlock(&s->mutex)); E(pthread_mutex_lock(&s->mutex));
    }
    return 0;
}
