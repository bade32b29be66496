// Many spawned and vforked programs at once, from several threads.
// diff: cpus=2
#include "job.h"

static atomic_int good;
static void *spawner(void *unused) {
    (void)unused;
    for (int i = 0; i < 15; i++) {
        char text[12];
        sprintf(text, "%d", i);
        char *args[] = {"x", text, NULL};
        pid_t pid;
        int status;
        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ) != 0) return NULL;
        if (waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == i) good++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1) return atoi(argv[1]);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, spawner, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    N(good);
    T(wait(NULL));
    return 0;
}
