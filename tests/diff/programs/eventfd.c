// eventfd: counter, semaphore, overflow, readiness, errors.
#include "t.h"
#include <poll.h>
#include <sys/eventfd.h>

static void ready(int fd) {
    struct pollfd f = {fd, POLLIN | POLLOUT, 0};
    poll(&f, 1, 0);
    printf("  revents %x\n", f.revents);
}

int main(void) {
    uint64_t v = 0;
    int fd = T(eventfd(3, EFD_NONBLOCK));
    ready(fd);
    T(read(fd, &v, 8)); N(v);
    ready(fd);
    T(read(fd, &v, 8));
    v = 5;
    T(write(fd, &v, 8));
    T(write(fd, &v, 8));
    T(read(fd, &v, 16)); N(v);
    T(read(fd, &v, 7));
    T(write(fd, &v, 7));
    v = UINT64_MAX;
    T(write(fd, &v, 8));
    v = UINT64_MAX - 1;
    T(write(fd, &v, 8));
    ready(fd);
    v = 1;
    T(write(fd, &v, 8));
    v = 0;
    T(write(fd, &v, 8));
    T(read(fd, &v, 8));
    C(v == UINT64_MAX - 1);
    int s = T(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
    T(read(s, &v, 8)); N(v);
    T(read(s, &v, 8)); N(v);
    T(read(s, &v, 8));
    T(write(fd, BAD, 8));
    v = 1;
    write(fd, &v, 8);
    T(read(fd, BAD, 8));
    T(eventfd(0, 0x1234));
    T(pread(fd, &v, 8, 0));
    T(lseek(fd, 0, SEEK_SET));
    T(ftruncate(fd, 0));
    char link[64] = "", path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", s);
    T(readlink(path, link, 63)); S(link);
    return 0;
}
