// Other threads of the parent go on while it waits for its vforked child.
// diff: cpus=2
#include "job.h"

static atomic_int counted, stop;
static void *count(void *unused) {
    (void)unused;
    while (!stop) { counted++; sched_yield(); }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1) return 3;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, count, NULL);
    while (counted < 10) sched_yield();
    for (int i = 0; i < 20; i++) {
        static volatile int before, after;
        pid_t pid = vfork();
        if (pid == 0) {
            before = counted;
            while (counted < before + 10) sched_yield();
            after = counted;
            char *args[] = {argv[0], "x", NULL};
            if (i % 2) execv("/proc/self/exe", args);
            _exit(3);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 3 || after <= before) return printf("wrong at %d: %x\n", i, status), 1;
    }
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    puts("done");
    return 0;
}
