// Pipes: order, partial reads, end of file, capacity, sizes.
#include "t.h"
#include <sys/ioctl.h>

int main(void) {
    int p[2], n;
    char b[200] = "";
    T(pipe(p));
    T(syscall(SYS_pipe, BAD));
    T(pipe2(p, 0x4));
    T(write(p[1], "hello ", 6));
    T(write(p[1], "world", 5));
    T(ioctl(p[0], FIONREAD, &n)); N(n);
    T(read(p[0], b, 3)); S(b);
    T(read(p[0], b, 100)); S(b);
    T(fcntl(p[0], F_GETPIPE_SZ));
    T(fcntl(p[1], F_SETPIPE_SZ, 1));
    T(fcntl(p[1], F_SETPIPE_SZ, 5000));
    T(fcntl(p[0], F_GETPIPE_SZ));
    T(fcntl(p[1], F_SETPIPE_SZ, 0));
    // Without CAP_SYS_RESOURCE, or with it.
    C(fcntl(p[1], F_SETPIPE_SZ, 1 << 31) == -1 && (errno == EPERM || errno == ENOMEM));
    T(fcntl(open("/dev/null", O_RDONLY), F_GETPIPE_SZ));
    T(fcntl(p[1], F_SETFL, O_NONBLOCK));
    char page[4096] = {1};
    T(fcntl(p[1], F_SETPIPE_SZ, 8192));
    T(write(p[1], page, 4096));
    T(write(p[1], page, 4096));
    T(write(p[1], page, 1));
    T(write(p[1], page, 0));
    T(ioctl(p[1], FIONREAD, &n)); N(n);
    T(fcntl(p[1], F_SETPIPE_SZ, 4096));
    T(read(p[0], page, 4096));
    T(fcntl(p[1], F_SETPIPE_SZ, 4096));
    T(read(p[0], page, 4096));
    T(write(p[1], "tail", 4));
    T(close(p[1]));
    T(read(p[0], b, 100));
    T(read(p[0], b, 100));
    T(read(p[0], BAD, 100));
    T(pipe(p));
    T(close(p[0]));
    signal(SIGPIPE, SIG_IGN);
    T(write(p[1], "x", 1));
    T(write(p[1], "x", 0));
    T(pipe(p));
    T(write(p[1], BAD, 1));
    T(write(p[1], "12345678", 8));
    T(read(p[0], BAD, 4));
    T(read(p[0], KERNEL, 4));
    T(read(p[0], b, 100)); // what faulting reads left
    return 0;
}
