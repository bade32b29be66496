// readv, writev, preadv, pwritev, preadv2, pwritev2.
#include "t.h"
#ifndef RWF_APPEND
#define RWF_APPEND 16
#endif

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"two", 3}};
    T(writev(fd, out, 3));
    T(writev(fd, out, 0));
    T(pwritev(fd, out, 1, 10));
    char a[4] = "", b[8] = "";
    struct iovec in[2] = {{a, 2}, {b, 7}};
    T(lseek(fd, 0, SEEK_SET));
    T(readv(fd, in, 2));
    S(a); S(b);
    T(preadv(fd, in, 2, 10));
    S(a);
    T(preadv(fd, in, 2, -1));
    T(readv(fd, in, -1));
    T(readv(fd, in, 1025));
    T(writev(fd, BAD, 1));
    struct iovec huge[2] = {{a, SSIZE_MAX}, {b, SSIZE_MAX}};
    T(readv(fd, huge, 2));
    T(lseek(fd, 0, SEEK_SET));
    struct iovec half[2] = {{a, 2}, {BAD, 4}};
    T(readv(fd, half, 2));
    T(lseek(fd, 0, SEEK_CUR));
    struct iovec bad[2] = {{BAD, 4}, {a, 2}};
    T(readv(fd, bad, 2));
    T(writev(fd, half, 2));
    T(lseek(fd, 0, SEEK_CUR));
    T(readv(-1, in, 2));
    T(lseek(fd, 2, SEEK_SET));
    T(syscall(SYS_preadv2, fd, in, 2, -1L, 0L, 0)); // offset -1: the file's own
    T(lseek(fd, 0, SEEK_CUR));
    T(syscall(SYS_preadv2, fd, in, 2, 0L, 0L, 0x4000));
    T(syscall(SYS_pwritev2, fd, out, 1, 0L, 0L, RWF_APPEND));
    T(lseek(fd, 0, SEEK_END));
    T(syscall(SYS_pwritev2, fd, out, 1, 0L, 0L, 2)); // RWF_DSYNC
    return 0;
}
