// close and close_range.
#include "t.h"
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void alive(void) {
    for (int fd = 3; fd < 20; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf("%d%s ", fd, fcntl(fd, F_GETFD) ? "c" : "");
    puts("");
}

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    for (int i = 4; i < 16; i++) dup2(fd, i);
    alive();
    T(syscall(SYS_close_range, 5, 7, 0));
    alive();
    T(syscall(SYS_close_range, 9, 10, 4)); // CLOSE_RANGE_CLOEXEC
    alive();
    T(syscall(SYS_close_range, 7, 5, 0));
    T(syscall(SYS_close_range, 5, 7, 64));
    T(syscall(SYS_close_range, 6, 6, 0));
    T(syscall(SYS_close_range, 12, ~0u, 2)); // CLOSE_RANGE_UNSHARE
    alive();
    T(close(-1));
    T(close(12));
    T(close(1 << 30));
    T(close(11));
    T(close(11));
    alive();
    return 0;
}
