// diff: libc=glibc
// dup, dup2, dup3, close_range, F_DUPFD and the limit RLIMIT_NOFILE; fcntl's other commands.
#include "files.h"
#include <sys/resource.h>
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u
#endif
static void owner(int fd) { struct { int type, pid; } o = {-1, -1}; T(fcntl(fd, 16, &o)); printf("  type %d %s\n", o.type, o.pid == getpid() ? "self" : o.pid == 0 ? "nobody" : "other"); }

int main(void) {
    f_scratch();
    int fd = t_file("f", "x"), pipes[2], path = open("f", O_PATH);
    T(dup(fd)); T(dup(-1)); T(dup2(fd, 50)); T(dup2(fd, fd)); T(dup2(-1, -1)); T(dup2(60, 60)); T(dup2(fd, -1));
    T(dup2(fd, 1 << 20)); T(dup2(61, 62)); T(dup3(fd, fd, 0)); T(dup3(-1, -1, 0)); T(dup3(fd, 51, O_CLOEXEC));
    N(fcntl(51, F_GETFD)); T(dup3(fd, 52, O_NONBLOCK)); T(dup3(fd, 52, 1)); T(dup3(-1, 52, 0)); T(dup3(fd, -1, 0));
    T(dup2(51, 53)); N(fcntl(53, F_GETFD));
    T(fcntl(fd, F_DUPFD, 100)); T(fcntl(fd, F_DUPFD_CLOEXEC, 100)); N(fcntl(101, F_GETFD)); T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD, 1 << 30)); T(fcntl(-1, F_DUPFD, 0)); T(fcntl(path, F_DUPFD, 110)); T(fcntl(fd, F_SETFD, 7));
    N(fcntl(fd, F_GETFD)); T(fcntl(fd, F_SETFD, 2)); N(fcntl(fd, F_GETFD)); T(fcntl(fd, 9999)); T(fcntl(-1, 9999));
    T(fcntl(path, 9999));
    struct rlimit limit = {60, 4096};
    T(setrlimit(RLIMIT_NOFILE, &limit)); T(dup2(fd, 60)); T(dup2(fd, 59)); T(dup3(fd, 60, 0)); T(fcntl(fd, F_DUPFD, 60));
    T(fcntl(fd, F_DUPFD, 59)); T(fcntl(fd, F_DUPFD, 58)); int last = -1; for (int i; (i = dup(fd)) >= 0;) last = i;
    N(last); T(dup(fd)); T(open("f", O_RDONLY)); T(pipe(pipes)); T(open("missing", O_RDONLY));
    T(open("new", O_CREAT | O_RDWR, 0600)); f_show("new"); T(dup2(fd, 100)); T(close(100)); limit.rlim_cur = 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    T(syscall(SYS_close_range, 10, 9, 0)); T(syscall(SYS_close_range, 10, 20, 1)); T(syscall(SYS_close_range, 10, 20, 0));
    T(fcntl(15, F_GETFD)); T(fcntl(21, F_GETFD)); T(syscall(SYS_close_range, 21, 30, CLOSE_RANGE_CLOEXEC));
    N(fcntl(25, F_GETFD)); N(fcntl(31, F_GETFD));
    T(syscall(SYS_close_range, 31, ~0u, CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)); N(fcntl(40, F_GETFD));
    T(syscall(SYS_close_range, 20, ~0u, CLOSE_RANGE_UNSHARE)); T(fcntl(21, F_GETFD)); T(syscall(SYS_close_range, ~0u, ~0u, 0));
    T(close(-1)); T(close(15));
    // who gets signals
    pipe(pipes); owner(pipes[0]); T(fcntl(pipes[0], F_SETOWN, getpid())); C(fcntl(pipes[0], F_GETOWN) == getpid());
    owner(pipes[0]); T(fcntl(pipes[0], F_SETOWN, -getpgrp())); C(fcntl(pipes[0], F_GETOWN) == -getpgrp());
    T(fcntl(pipes[0], F_SETOWN, 0x3fffffff)); T(fcntl(pipes[0], F_SETOWN, -0x3fffffff));
    T(fcntl(pipes[0], F_SETOWN, 0x80000000)); T(fcntl(pipes[0], F_SETOWN, 0)); owner(pipes[0]);
    struct { int type, pid; } o = {0, 0x3fffffff}, bad = {3, 1}, none = {2, 0}, mine = {0, (int)syscall(SYS_gettid)};
    T(fcntl(pipes[0], 15, &o)); T(fcntl(pipes[0], 15, &bad)); T(fcntl(pipes[0], 15, &mine)); owner(pipes[0]);
    T(fcntl(pipes[0], 15, &none)); owner(pipes[0]); T(fcntl(pipes[0], 15, BAD)); T(fcntl(pipes[0], 16, BAD));
    T(fcntl(pipes[0], 10, 65)); T(fcntl(pipes[0], 10, -1)); T(fcntl(pipes[0], 10, SIGUSR1)); N(fcntl(pipes[0], 11));
    T(fcntl(pipes[0], 10, 0)); T(fcntl(path, F_SETOWN, 1)); T(fcntl(path, 11)); T(fcntl(fd, F_SETOWN, getpid()));
    T(fcntl(fd, F_SETFL, O_ASYNC)); T(fcntl(pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    printf("%#x\n", fcntl(pipes[0], F_GETFL));
    // sizes of pipes
    N(fcntl(pipes[0], 1032)); T(fcntl(pipes[1], 1031, 100)); T(fcntl(pipes[1], 1031, 4097)); T(fcntl(pipes[1], 1031, 0));
    T(fcntl(pipes[1], 1031, 1 << 20)); T(fcntl(pipes[1], 1031, -1)); T(fcntl(fd, 1031, 4096)); T(fcntl(fd, 1032));
    char *block = calloc(1, 65536); fcntl(pipes[1], 1031, 65536); fcntl(pipes[1], F_SETFL, O_NONBLOCK);
    T(write(pipes[1], block, 65536)); T(write(pipes[1], block, 1)); T(fcntl(pipes[1], 1031, 4096));
    T(read(pipes[0], block, 61440)); T(fcntl(pipes[1], 1031, 4096)); T(write(pipes[1], block, 1));
    AS(1000, 1000) { T(fcntl(pipes[1], 1031, 1 << 20)); T(fcntl(pipes[1], 1031, 2 << 20)); }
    mkfifo("p", 0600); int p = open("p", O_RDWR); N(fcntl(p, 1032)); T(fcntl(p, 1031, 8192)); N(fcntl(open("p", O_RDWR), 1032));
    int pp = open("p", O_PATH); T(fcntl(pp, 1032)); T(fcntl(pp, F_GETFL)); return 0;
}
