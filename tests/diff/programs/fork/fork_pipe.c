// Parent and child talk over pipes; ends close with their last holder; a killed reader means SIGPIPE.
// diff: cpus=2
#include "t.h"

int main(void) {
    int to[2], from[2], status;
    pipe(to); pipe(from);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(to[1]); close(from[0]);
        unsigned char b[1000];
        long n, sum = 0;
        while ((n = read(to[0], b, sizeof b)) > 0) for (long i = 0; i < n; i++) sum += b[i];
        write(from[1], &sum, sizeof sum);
        _exit(0);
    }
    close(to[0]); close(from[1]);
    static unsigned char data[300000];
    long expected = 0, sum = 0;
    for (int i = 0; i < 300000; i++) expected += data[i] = i * 13;
    T(write(to[1], data, sizeof data));
    close(to[1]);
    T(read(from[0], &sum, sizeof sum));
    C(sum == expected);
    T(read(from[0], &sum, sizeof sum));
    waitpid(child, &status, 0);
    pipe(to);
    child = fork();
    if (child == 0) { close(to[0]); for (;;) write(to[1], data, sizeof data); }
    close(to[1]);
    read(to[0], data, 100);
    close(to[0]);
    waitpid(child, &status, 0);
    N(WIFSIGNALED(status)); N(WTERMSIG(status));
    return 0;
}
