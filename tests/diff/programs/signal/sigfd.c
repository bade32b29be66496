// signalfd: records, masks, several at a time, polling, sharing by fork, errors.
#include "../t.h"
#include <poll.h>
#include <sys/signalfd.h>

static int ready(int fd) { struct pollfd p = {fd, POLLIN | POLLOUT, 0}; poll(&p, 1, 0); return p.revents; }
int main(void) {
    sigset_t set;
    struct signalfd_siginfo info[4];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 3);
    sigaddset(&set, SIGKILL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd;
    T((fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) >= 0);
    N(fcntl(fd, F_GETFD)); N(fcntl(fd, F_GETFL) & O_NONBLOCK);
    T(signalfd(-1, &set, 3));
    T(signalfd(0x7fff, &set, 0));
    T(signalfd(0, &set, 0));
    T(syscall(SYS_signalfd4, -1, &set, 4L, 0));
    T(syscall(SYS_signalfd4, -1, BAD, 8L, 0));
    T(read(fd, info, sizeof *info));
    T(read(fd, info, 64));
    T(read(fd, info, 0));
    T(write(fd, info, 128));
    T(lseek(fd, 0, SEEK_SET));
    T(pread(fd, info, 128, 0));
    N(ready(fd));
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 42});
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 43});
    N(ready(fd));
    T(read(fd, info, sizeof info - 1));
    for (int i = 0; i < 3; i++)
        printf("%u code %d int %d pid right %d uid %u\n", info[i].ssi_signo == SIGUSR1 ? 1 : info[i].ssi_signo - SIGRTMIN, info[i].ssi_code, info[i].ssi_int, info[i].ssi_pid == (unsigned)getpid(), info[i].ssi_uid);
    N(ready(fd));
    // Another set on the same descriptor.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    N(ready(fd));
    T(signalfd(fd, &set, 0) == fd);
    N(ready(fd));
    T(read(fd, info, sizeof info));
    raise(SIGUSR2);
    T(read(fd, info, sizeof info));
    N(info[0].ssi_signo); N(info[0].ssi_code);
    T(read(fd, BAD, 128));
    raise(SIGUSR2);
    T(read(fd, BAD, 128));
    T(read(fd, info, sizeof info)); // gone with the failed copy
    // A child reads its own signals through the shared descriptor.
    raise(SIGUSR2);
    if (fork() == 0) {
        T(read(fd, info, sizeof info));
        raise(SIGUSR2);
        T(read(fd, info, sizeof info));
        N(info[0].ssi_pid == (unsigned)getpid());
        _exit(0);
    }
    wait(NULL);
    T(read(fd, info, sizeof info));
    // A child's death, and a timer.
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    T(signalfd(fd, &set, 0) == fd);
    pid_t pid = fork();
    if (pid == 0) _exit(5);
    struct pollfd p = {fd, POLLIN, 0};
    T(poll(&p, 1, 5000));
    T(read(fd, info, sizeof info));
    printf("%u code %d status %d pid right %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_status, info[0].ssi_pid == (unsigned)pid);
    wait(NULL);
    timer_t t;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 11};
    timer_create(CLOCK_MONOTONIC, &event, &t);
    struct itimerspec spec = {{0, 0}, {0, 1000000}};
    timer_settime(t, 0, &spec, NULL);
    T(poll(&p, 1, 5000));
    T(read(fd, info, sizeof info));
    printf("%u code %d int %d overrun %u\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_int, info[0].ssi_overrun);
    return 0;
}
