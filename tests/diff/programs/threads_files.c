// Threads share descriptors, offsets and the working directory; appends never overlap.
// diff: cpus=2
#include "t.h"

static int fd, shared;
static void *append(void *id) {
    char record[16];
    snprintf(record, sizeof record, "%02ld-----------\n", (long)id);
    for (int i = 0; i < 200; i++) write(fd, record, 14);
    for (int i = 0; i < 100; i++) write(shared, record, 14);
    return NULL;
}
static void *mover(void *unused) {
    mkdir("sub", 0755);
    chdir("sub");
    close(shared);
    return unused;
}

int main(void) {
    t_scratch();
    pthread_t t[4];
    fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0644);
    shared = open("shared", O_CREAT | O_RDWR, 0644);
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, append, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    int files[] = {fd, shared};
    for (int f = 0; f < 2; f++) {
        int counts[4] = {0}, torn = 0;
        char record[16] = "";
        lseek(files[f], 0, SEEK_SET);
        while (read(files[f], record, 14) == 14) {
            torn += record[13] != '\n' || record[2] != '-' || record[1] < '0' || record[1] > '3';
            counts[(record[1] - '0') & 3]++;
        }
        printf("%d %d %d %d torn %d\n", counts[0], counts[1], counts[2], counts[3], torn);
    }
    int old = shared;
    pthread_create(&t[0], NULL, mover, NULL);
    pthread_join(t[0], NULL);
    T(access("../log", F_OK));
    T(fcntl(old, F_GETFD));
    return 0;
}
