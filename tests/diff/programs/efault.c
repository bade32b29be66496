// Bad addresses in dozens of calls: EFAULT, or the error that Linux finds first.
#include "t.h"
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#define Q(name, ...) T(syscall(SYS_##name, __VA_ARGS__))

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789"), s = socket(AF_INET, SOCK_DGRAM, 0), p[2];
    pipe(p);
    lseek(fd, 0, SEEK_SET);
    char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + PAGE, PAGE);
    T(read(fd, edge + PAGE - 4, 10)); // as much as fits
    T(lseek(fd, 0, SEEK_CUR));
    T(write(p[1], edge + PAGE - 4, 10));
    memset(edge + PAGE - 4, 'x', 4);
    Q(open, edge + PAGE - 4, 0); // a path without an end
    Q(stat, edge + PAGE - 4, edge);
    Q(fstat, fd, edge + PAGE - 8);
    Q(fstat, fd, BAD);
    Q(lstat, "file", KERNEL);
    Q(readv, fd, BAD, 1);
    Q(preadv, fd, BAD, 1, 0, 0);
    Q(poll, BAD, 1, 0);
    Q(rt_sigaction, SIGUSR1, BAD, NULL, 8);
    Q(rt_sigaction, SIGUSR1, NULL, BAD, 8);
    Q(rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8);
    Q(rt_sigprocmask, SIG_BLOCK, NULL, BAD, 8);
    Q(rt_sigpending, BAD, 8);
    Q(rt_sigsuspend, BAD, 8);
    Q(rt_sigtimedwait, BAD, NULL, NULL, 8);
    Q(sigaltstack, BAD, NULL);
    Q(sigaltstack, NULL, BAD);
    Q(nanosleep, BAD, NULL);
    Q(clock_gettime, CLOCK_MONOTONIC, BAD);
    Q(clock_getres, CLOCK_MONOTONIC, BAD);
    Q(clock_nanosleep, CLOCK_MONOTONIC, 0, BAD, NULL);
    Q(gettimeofday, BAD, NULL);
    Q(getitimer, ITIMER_REAL, BAD);
    Q(setitimer, ITIMER_REAL, BAD, NULL);
    Q(uname, BAD);
    Q(sysinfo, BAD);
    Q(getrlimit, RLIMIT_NOFILE, BAD);
    Q(setrlimit, RLIMIT_NOFILE, BAD);
    Q(prlimit64, 0, RLIMIT_NOFILE, NULL, BAD);
    Q(getrusage, RUSAGE_SELF, BAD);
    Q(times, BAD);
    Q(time, BAD);
    Q(getrandom, BAD, 8, 0);
    Q(getcwd, KERNEL, 4096);
    Q(readlink, BAD, edge, 10);
    Q(rename, BAD, BAD);
    Q(futex, BAD, 0, 0, NULL);
    Q(futex, edge, 0, 0, BAD);
    Q(futex, KERNEL, 1, 1, NULL);
    Q(futex, edge + 1, 0, 0, NULL);
    Q(pipe2, BAD, 0);
    Q(socketpair, AF_UNIX, SOCK_STREAM, 0, BAD);
    Q(bind, s, BAD, 16);
    Q(connect, s, KERNEL, 16);
    Q(getsockname, s, edge, BAD);
    Q(getsockname, s, BAD, edge);
    Q(setsockopt, s, SOL_SOCKET, SO_REUSEADDR, BAD, 4);
    Q(getsockopt, s, SOL_SOCKET, SO_TYPE, edge, BAD);
    Q(sendmsg, s, BAD, 0);
    Q(recvmsg, s, BAD, MSG_DONTWAIT);
    Q(sched_getaffinity, 0, 128, BAD);
    Q(sched_setaffinity, 0, 8, BAD);
    Q(sched_getparam, 0, BAD);
    Q(getresuid, BAD, BAD, BAD);
    Q(getgroups, -1, BAD);
    Q(prctl, 16, BAD); // PR_GET_NAME
    Q(arch_prctl, 0x1003, BAD); // ARCH_GET_FS
    Q(execve, BAD, NULL, NULL);
    Q(execve, "file", BAD, NULL);
    Q(sendfile, p[1], fd, BAD, 1);
    Q(timerfd_settime, 99, 0, BAD, NULL);
    Q(wait4, -1, NULL, 0, BAD);
    Q(statfs, BAD, edge);
    Q(statfs, "/tmp", BAD);
    Q(getcpu, BAD, NULL, NULL);
    Q(chdir, HOLE);
    return 0;
}
