// epoll: every error, loops and depth, epoll_pwait and epoll_pwait2.
#include "../t.h"
#include <sys/epoll.h>
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
static void nothing(int s) { (void)s; }
int main(void) {
    struct epoll_event e = {EPOLLIN, {0}}, out[4];
    int p[2];
    t_scratch();
    pipe(p);
    T(syscall(SYS_epoll_create, 0));
    T(syscall(SYS_epoll_create, -1));
    T(epoll_create1(1));
    int a = epoll_create1(EPOLL_CLOEXEC), b = epoll_create(1);
    T(fcntl(a, F_GETFD)); T(fcntl(b, F_GETFD));
    T(epoll_ctl(a, EPOLL_CTL_ADD, a, &e));
    T(epoll_ctl(99, EPOLL_CTL_ADD, p[0], &e));
    T(epoll_ctl(a, EPOLL_CTL_ADD, 99, &e));
    T(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e));
    T(epoll_ctl(a, 99, p[0], &e));
    T(epoll_ctl(a, EPOLL_CTL_ADD, p[0], NULL));
    T(epoll_ctl(a, EPOLL_CTL_ADD, p[0], BAD));
    T(epoll_ctl(a, EPOLL_CTL_MOD, p[0], &e));
    T(epoll_ctl(a, EPOLL_CTL_DEL, p[0], NULL));
    T(epoll_ctl(a, EPOLL_CTL_ADD, p[0], &e));
    T(epoll_ctl(a, EPOLL_CTL_ADD, p[0], &e));
    int d = dup(p[0]);
    T(epoll_ctl(a, EPOLL_CTL_ADD, d, &e)); // the same file by another number
    T(epoll_ctl(a, EPOLL_CTL_DEL, d, NULL));
    int file = t_file("epoll_file", "x"), dir = open(".", O_RDONLY | O_DIRECTORY);
    T(epoll_ctl(a, EPOLL_CTL_ADD, file, &e));
    T(epoll_ctl(a, EPOLL_CTL_ADD, dir, &e));
    T(epoll_wait(99, out, 1, 0));
    T(epoll_wait(p[0], out, 1, 0));
    T(epoll_wait(a, out, 0, 0));
    T(epoll_wait(a, out, -1, 0));
    T(epoll_wait(a, out, INT_MAX / (int)sizeof *out + 1, 0));
    T(syscall(SYS_epoll_wait, a, KERNEL, 1, 0));
    write(p[1], "x", 1);
    T(syscall(SYS_epoll_wait, a, BAD, 1, 0));
    T(epoll_wait(a, out, 1, 0));
    // Loops and depth.
    T(epoll_ctl(a, EPOLL_CTL_ADD, b, &e));
    T(epoll_ctl(b, EPOLL_CTL_ADD, a, &e));
    int chain[8];
    for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
    for (int i = 0; i < 7; i++) { printf("%d: ", i); T(epoll_ctl(chain[i + 1], EPOLL_CTL_ADD, chain[i], &e)); }
    // Signals and masks.
    sigset_t set;
    sigemptyset(&set);
    t_handle(SIGALRM, nothing, SA_RESTART);
    struct itimerval v = {{0, 0}, {0, 20000}};
    int quiet = epoll_create1(0);
    setitimer(ITIMER_REAL, &v, NULL);
    T(epoll_wait(quiet, out, 1, -1));
    sigaddset(&set, SIGALRM);
    setitimer(ITIMER_REAL, &v, NULL);
    T(epoll_pwait(quiet, out, 1, 60, &set));
    struct timespec t = {0, 5000000}, bad = {0, 1000000000};
    T(syscall(SYS_epoll_pwait2, quiet, out, 1, &t, NULL, 8L));
    T(syscall(SYS_epoll_pwait2, quiet, out, 1, &bad, NULL, 8L));
    T(syscall(SYS_epoll_pwait2, quiet, out, 1, BAD, NULL, 8L));
    T(syscall(SYS_epoll_pwait2, quiet, out, 1, &t, &set, 4L));
    T(syscall(SYS_epoll_pwait2, quiet, out, 1, &t, BAD, 8L));
    T(syscall(SYS_epoll_pwait, quiet, out, 1, 0, &set, 4L));
    T(syscall(SYS_epoll_pwait, quiet, out, 1, 0, BAD, 8L));
    t.tv_nsec = 0;
    T(syscall(SYS_epoll_pwait2, a, out, 4, &t, NULL, 8L));
    unlink("epoll_file");
    return 0;
}
