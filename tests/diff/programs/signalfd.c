// signalfd: blocked signals as bytes.
#include "t.h"
#include <poll.h>
#include <sys/signalfd.h>

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct signalfd_siginfo info[4];
    int fd = T(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    T(read(fd, info, sizeof info));
    T(kill(getpid(), SIGUSR2));
    T(raise(SIGUSR1));
    struct pollfd f = {fd, POLLIN, 0};
    T(poll(&f, 1, 1000)); N(f.revents);
    T(read(fd, info, sizeof info[0]));
    N(info[0].ssi_signo); N(info[0].ssi_code); C(info[0].ssi_pid == (unsigned)getpid()); N(info[0].ssi_uid);
    T(read(fd, info, sizeof info[0]));
    N(info[0].ssi_signo); N(info[0].ssi_code);
    T(read(fd, info, sizeof info[0]));
    T(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 77}));
    T(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 78}));
    T(read(fd, info, sizeof info));
    N(info[0].ssi_code); N(info[0].ssi_int); N(info[1].ssi_int);
    T(read(fd, info, 10));
    sigdelset(&set, SIGUSR1);
    T(signalfd(fd, &set, 0) == fd);
    raise(SIGUSR1);
    T(poll(&f, 1, 0));
    sigset_t pending;
    sigpending(&pending);
    C(sigismember(&pending, SIGUSR1));
    raise(SIGUSR2);
    T(poll(&f, 1, 0));
    T(sigtimedwait(&pending, NULL, &(struct timespec){0, 0}));
    T(read(fd, info, sizeof info));
    N(info[0].ssi_signo);
    T(signalfd(0, &set, 0));
    T(signalfd(99, &set, 0));
    T(signalfd(-1, &set, 0x111));
    T(syscall(SYS_signalfd4, -1, &set, 4L, 0));
    T(syscall(SYS_signalfd4, -1, BAD, 8L, 0));
    return 0;
}
