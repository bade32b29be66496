// Megabytes through pipes between threads: nothing lost, nothing out of order, blocked sides woken.
// diff: cpus=2
#include "t.h"
#define TOTAL (8 << 20)

static int p[2];
static void *writer(void *chunk) {
    static unsigned char b[100000];
    long size = (long)chunk;
    for (long sent = 0; sent < TOTAL;) {
        long n = TOTAL - sent < size ? TOTAL - sent : size;
        for (long i = 0; i < n; i++) b[i] = (sent + i) * 31 >> 3;
        for (long done = 0; done < n;) {
            long w = write(p[1], b + done, n - done);
            if (w <= 0) return NULL;
            done += w;
        }
        sent += n;
    }
    close(p[1]);
    return NULL;
}

int main(void) {
    static unsigned char b[80000];
    for (int round = 0; round < 3; round++) {
        long writes[] = {100000, 4096, 1000}, reads[] = {4096, 80000, 777};
        pipe(p);
        pthread_t t;
        pthread_create(&t, NULL, writer, (void *)writes[round]);
        long got = 0, wrong = 0, n;
        while ((n = read(p[0], b, reads[round])) > 0) {
            for (long i = 0; i < n; i++) wrong += b[i] != (unsigned char)((got + i) * 31 >> 3);
            got += n;
        }
        pthread_join(t, NULL);
        close(p[0]);
        printf("round %d: got %ld, wrong %ld, end %ld\n", round, got, wrong, n);
    }
    return 0;
}
