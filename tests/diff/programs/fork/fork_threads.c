// fork from one of many threads, while the others map, unmap and fork themselves.
// diff: cpus=2
#include "job.h"

static atomic_int stop, good;
static void *maps(void *unused) {
    (void)unused;
    while (!stop) {
        char *at = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        at[5 * PAGE] = 1;
        munmap(at, 16 * PAGE);
        sched_yield();
    }
    return NULL;
}
static void *forks(void *unused) {
    (void)unused;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            char *at = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(at, 7, 64 * PAGE);
            _exit(at[63 * PAGE] + i);
        }
        int status;
        if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7 + i) good++;
    }
    return NULL;
}

int main(void) {
    pthread_t a[2], b[3];
    for (int i = 0; i < 2; i++) pthread_create(&a[i], NULL, maps, NULL);
    for (int i = 0; i < 3; i++) pthread_create(&b[i], NULL, forks, NULL);
    for (int i = 0; i < 3; i++) pthread_join(b[i], NULL);
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(a[i], NULL);
    N(good);
    return 0;
}
