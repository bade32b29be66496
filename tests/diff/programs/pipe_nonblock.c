// Nonblocking pipes: EAGAIN, atomic writes up to PIPE_BUF, partial ones above.
#include "t.h"

static char data[70000];

int main(void) {
    int p[2];
    T(pipe2(p, O_NONBLOCK));
    T(read(p[0], data, 1));
    T(write(p[1], data, sizeof data));
    T(write(p[1], data, 1));
    T(read(p[0], data, 100));
    T(write(p[1], data, 1) < 0 ? -1 : 0); // the first page still holds bytes
    T(read(p[0], data, 3996));
    T(write(p[1], data, 4096));
    T(write(p[1], data, 1));
    T(read(p[0], data, 8192));
    T(write(p[1], data, 6000));
    T(write(p[1], data, 4096));
    T(write(p[1], data, 5000));
    long total = 0, n;
    while ((n = read(p[0], data, sizeof data)) > 0) total += n;
    N(total);
    C(errno == EAGAIN);
    T(pipe2(p, O_NONBLOCK));
    struct iovec v[2] = {{data, 40000}, {data, 40000}};
    T(writev(p[1], v, 2));
    T(readv(p[0], v, 2));
    T(readv(p[0], v, 2));
    return 0;
}
