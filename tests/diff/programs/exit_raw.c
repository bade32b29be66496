// _exit runs nothing and flushes nothing; the raw call of one thread does not end the process.
#include "t.h"

static void never(void) { puts("atexit, not reached"); }
static atomic_int started;
static void *thread(void *unused) {
    started = 1;
    syscall(SYS_exit, 5);
    return unused;
}

int main(void) {
    pthread_t t;
    atexit(never);
    int fd = dup(1);
    pthread_create(&t, NULL, thread, NULL);
    while (!started) usleep(1000); // no join: the libraries do not know that it went
    t_sleep_ms(20);
    write(fd, "main goes on\n", 13);
    printf("lost in the buffer");
    _exit(200);
}
