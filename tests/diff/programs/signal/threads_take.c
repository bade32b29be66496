// A signal to the process is taken by a thread that does not block it; masks are inherited; a signal to a thread stays with it.
// diff: cpus=2
#include "../t.h"

static _Atomic int taker[3], ready, stop;
static __thread int who;
static void handler(int s) { (void)s; taker[who]++; }
static void *run(void *arg) {
    who = (int)(long)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(who == 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
    ready++;
    while (!stop) t_sleep_ms(1);
    return NULL;
}
int main(void) {
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    t_handle(SIGUSR1, handler, 0);
    pthread_t t[3];
    for (long i = 1; i < 3; i++) pthread_create(&t[i], NULL, run, (void *)i);
    while (ready < 2) t_sleep_ms(1);
    for (int i = 0; i < 5; i++) {
        int before = taker[2];
        kill(getpid(), SIGUSR1);
        while (taker[2] == before) t_sleep_ms(1);
    }
    pthread_kill(t[1], SIGUSR1);
    t_sleep_ms(20);
    printf("%d %d %d\n", taker[0], taker[1], taker[2]);
    sigpending(&pending);
    N(sigismember(&pending, SIGUSR1)); // another thread's own is not mine
    stop = 1;
    for (int i = 1; i < 3; i++) pthread_join(t[i], NULL);
    // With everybody blocking, it waits for whoever unblocks first.
    kill(getpid(), SIGUSR1);
    sigpending(&pending);
    N(sigismember(&pending, SIGUSR1));
    pthread_t u;
    ready = 0;
    stop = 0;
    pthread_create(&u, NULL, run, (void *)2);
    while (!ready) t_sleep_ms(1);
    stop = 1;
    pthread_join(u, NULL);
    printf("%d %d %d\n", taker[0], taker[1], taker[2]);
    sigpending(&pending);
    N(sigismember(&pending, SIGUSR1));
    return 0;
}
