// execve in a second thread: the others go, the process keeps its id.
#include "t.h"

static char *self, pid[32];
static void *thread(void *unused) {
    execve(self, (char *[]){self, pid, NULL}, (char *[]){NULL});
    puts("not reached");
    return unused;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        C(atoi(argv[1]) == getpid());
        C(syscall(SYS_gettid) == getpid());
        return 9;
    }
    pthread_t t[3];
    self = argv[0];
    snprintf(pid, sizeof pid, "%d", getpid());
    puts("before");
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, (void *(*)(void *))sleep, (void *)1000);
    pthread_create(&t[2], NULL, thread, NULL);
    for (;;) pause();
}
