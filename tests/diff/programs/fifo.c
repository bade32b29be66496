// Named pipes: open waits for the other side, O_NONBLOCK does not.
// diff: cpus=2
#include "t.h"

static void *reader(void *unused) {
    char b[32] = "";
    int fd = open("fifo", O_RDONLY);
    long n = read(fd, b, sizeof b - 1);
    printf("reader got %ld [%s]\n", n, b);
    n = read(fd, b, sizeof b);
    printf("then %ld\n", n);
    close(fd);
    return unused;
}

int main(void) {
    t_scratch();
    signal(SIGPIPE, SIG_IGN);
    T(mkfifo("fifo", 0600));
    T(mkfifo("fifo", 0600));
    T(mkfifo("no/fifo", 0600));
    T(open("fifo", O_WRONLY | O_NONBLOCK));
    int r = T(open("fifo", O_RDONLY | O_NONBLOCK));
    char b[8];
    T(read(r, b, 8));
    int w = T(open("fifo", O_WRONLY | O_NONBLOCK));
    T(read(r, b, 8));
    T(write(w, "abc", 3));
    T(read(r, b, 8));
    T(close(w));
    T(read(r, b, 8));
    w = T(open("fifo", O_WRONLY));
    T(close(r));
    T(write(w, "x", 1));
    T(close(w));
    int rw = T(open("fifo", O_RDWR));
    T(write(rw, "self", 4));
    T(read(rw, b, 8));
    T(close(rw));
    pthread_t t;
    pthread_create(&t, NULL, reader, NULL);
    w = open("fifo", O_WRONLY);
    write(w, "named", 5);
    close(w);
    pthread_join(t, NULL);
    T(unlink("fifo"));
    return 0;
}
