// getrlimit, setrlimit, prlimit.
#include "t.h"
#include <sys/resource.h>

int main(void) {
    t_scratch();
    struct rlimit r, old;
    for (int i = 0; i < 16; i++) printf("%d: %d\n", i, getrlimit(i, &r));
    T(syscall(SYS_getrlimit, 16, &r));
    T(syscall(SYS_getrlimit, -1, &r));
    T(getrlimit(RLIMIT_NOFILE, &r));
    rlim_t hard = r.rlim_max;
    r.rlim_cur = 64;
    T(setrlimit(RLIMIT_NOFILE, &r));
    T(getrlimit(RLIMIT_NOFILE, &old));
    N(old.rlim_cur);
    C(old.rlim_max == hard);
    T(dup2(0, 64));
    T(dup2(0, 63));
    T(fcntl(0, F_DUPFD, 64));
    N(sysconf(_SC_OPEN_MAX));
    r.rlim_cur = 100, r.rlim_max = 50;
    T(setrlimit(RLIMIT_NOFILE, &r));
    r.rlim_max = 128;
    T(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &r, &old));
    N(old.rlim_cur);
    T(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, NULL, &old));
    N(old.rlim_cur); N(old.rlim_max);
    T(syscall(SYS_prlimit64, 99999999, RLIMIT_NOFILE, NULL, &old));
    T(syscall(SYS_prlimit64, 0, 99, NULL, &old));
    signal(SIGXFSZ, SIG_IGN);
    r = (struct rlimit){1000, 1000};
    T(setrlimit(RLIMIT_FSIZE, &r));
    int fd = t_file("file", "");
    static char b[2000];
    T(write(fd, b, 600));
    T(write(fd, b, 600));
    T(write(fd, b, 1));
    T(ftruncate(fd, 1001));
    T(pwrite(fd, b, 1, 5000));
    T(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
    signal(SIGXFSZ, SIG_DFL);
    puts("die by SIGXFSZ");
    write(fd, b, 1);
    puts("not reached");
    return 0;
}
