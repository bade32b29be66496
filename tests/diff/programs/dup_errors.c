// dup, dup2, dup3, F_DUPFD: numbers, shared offsets and flags, errors.
#include "t.h"
#include <sys/resource.h>

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    char byte;
    T(dup(-1));
    T(dup(999));
    T(dup2(-1, 5));
    T(dup2(999, 999));
    T(dup2(fd, -1));
    T(dup2(fd, 100000));
    T(dup3(fd, fd, 0));
    T(dup3(fd, 9, O_NONBLOCK));
    T(dup3(fd, 9, 0));
    T(dup2(fd, fd));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD, 100000));
    int copy = T(dup(fd));
    T(lseek(fd, 3, SEEK_SET));
    T(read(copy, &byte, 1));
    N(byte);
    T(lseek(fd, 0, SEEK_CUR));
    T(fcntl(copy, F_SETFL, O_NONBLOCK | O_APPEND));
    T(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND));
    T(close(fd));
    T(close(fd));
    T(read(copy, &byte, 1));
    T(dup(copy)); // the lowest free number
    T(fcntl(copy, 9999));
    T(fcntl(999, F_GETFD));
    struct rlimit limit;
    T(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 12;
    T(setrlimit(RLIMIT_NOFILE, &limit));
    T(dup2(copy, 12));
    T(dup2(copy, 11));
    while (dup(copy) >= 0) {}
    T(dup(copy));
    T(open("file", O_RDONLY));
    T(pipe((int[2]){0}));
    return 0;
}
