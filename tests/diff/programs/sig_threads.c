// Signals and threads: pthread_kill, process signals find a thread that does not block them, masks are inherited.
// diff: cpus=2
#include "t.h"

static atomic_int hits[3], ready;
static pthread_key_t key;
static void handler(int signal) { hits[(long)pthread_getspecific(key)] += signal == SIGUSR1 ? 1 : 100; }
static void *thread(void *index) {
    sigset_t now, set;
    pthread_setspecific(key, index);
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    printf("thread %ld inherited USR2 blocked: %d\n", (long)index, sigismember(&now, SIGUSR2));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    if ((long)index == 2) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    ready++;
    while (!hits[(long)index]) usleep(1000);
    return NULL;
}

int main(void) {
    pthread_t t[2];
    sigset_t set;
    pthread_key_create(&key, NULL);
    t_handle(SIGUSR1, handler, SA_RESTART);
    t_handle(SIGUSR2, handler, SA_RESTART);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (long i = 1; i <= 2; i++) {
        pthread_create(&t[i - 1], NULL, thread, (void *)i);
        while (ready < i) usleep(1000);
    }
    E(pthread_kill(t[0], SIGUSR1));
    pthread_join(t[0], NULL);
    T(kill(getpid(), SIGUSR2)); // only the second thread takes it
    pthread_join(t[1], NULL);
    printf("%d %d %d\n", hits[0], hits[1], hits[2]);
    E(pthread_kill(pthread_self(), 0));
    E(pthread_kill(pthread_self(), SIGUSR1));
    E(pthread_kill(pthread_self(), 100));
    N(hits[0]);
    E(pthread_kill(pthread_self(), SIGUSR2)); // pending for this thread
    sigset_t pending;
    sigpending(&pending);
    N(sigismember(&pending, SIGUSR2));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    N(hits[0]);
    E(pthread_sigmask(99, &set, NULL));
    return 0;
}
