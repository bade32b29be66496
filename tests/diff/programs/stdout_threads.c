// Threads on two vCPUs that write to standard output at once: no byte is lost.
// diff: cpus=2
#include "t.h"

static void *writer(void *arg) {
    char bytes[3000];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 150; i++)
        for (size_t done = 0; done < sizeof bytes;) {
            ssize_t n = write(1, bytes + done, sizeof bytes - done);
            if (n <= 0)
                _exit(9);
            done += n;
        }
    return arg;
}

int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, writer, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
