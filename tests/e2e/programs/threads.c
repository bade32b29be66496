/* Threads that share a mutex and a condition, memory that grows, and formatted output. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 300 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static long sum;
static __thread int own;

static void *work(void *argument)
{
    int id = (int)(long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != id)
            pthread_cond_wait(&turn_changed, &mutex);
        turn++;
        own++;
        sum += id;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)(long)own;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (long id = 0; id < THREADS; id++)
        if (pthread_create(&threads[id], NULL, work, (void *)id))
            return 1;
    for (int id = 0; id < THREADS; id++) {
        void *rounds;
        pthread_join(threads[id], &rounds);
        printf("thread %d: %ld rounds\n", id, (long)rounds);
    }
    char *text = NULL;
    size_t length = 0;
    for (int i = 0; i < 20000; i++) {
        text = realloc(text, length + 100);
        length += (size_t)sprintf(text + length, "%d,", i);
    }
    printf("turns %d sum %ld text %zu %.3f\n", turn, sum, strlen(text), 2.0 / 3.0);
    free(text);
    return 3;
}
