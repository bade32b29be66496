// pidfds: opening, signalling, polling, waiting, and other processes' descriptors.
// diff: cpus=2
#include "job.h"
#include <poll.h>

#define OPEN(pid, flags) syscall(SYS_pidfd_open, pid, flags)
#define SEND(fd, s, info, flags) syscall(SYS_pidfd_send_signal, fd, s, info, flags)
#define GETFD(fd, other, flags) syscall(SYS_pidfd_getfd, fd, other, flags)

static int p[2];
static int sleeper(void) { for (;;) pause(); return 0; }
static int waits(void) { j_await(p[0]); return 5; }
static void *thread(void *tid) { *(_Atomic int *)tid = syscall(SYS_gettid); sleeper(); return NULL; }

int main(void) {
    siginfo_t info;
    pipe(p);
    T(OPEN(0, 0)); T(OPEN(-1, 0)); T(OPEN(1 << 22, 0)); T(OPEN(getpid(), 0x40000000));
    int self = T(OPEN(getpid(), 0));
    C(fcntl(self, F_GETFD) == FD_CLOEXEC);
    T(SEND(self, 0, NULL, 0)); T(SEND(self, 65, NULL, 0)); T(SEND(self, 0, NULL, 8)); T(SEND(0x7fff, 0, NULL, 0)); T(SEND(p[0], 0, NULL, 0));
    T(read(self, &info, 8)); T(write(self, &info, 8));
    pid_t pid = j_start(waits);
    int fd = OPEN(pid, 0);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    T(poll(&poller, 1, 0));
    T(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    j_tell(p[1]);
    T(poll(&poller, 1, 5000)); N(poller.revents);
    T(SEND(fd, SIGTERM, NULL, 0)); // a zombie may be signalled
    T(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT)); N(info.si_status);
    T(waitid(P_PIDFD, fd, &info, WEXITED)); C(info.si_pid == pid);
    T(waitid(P_PIDFD, fd, &info, WEXITED));
    T(SEND(fd, SIGTERM, NULL, 0));
    T(GETFD(fd, 0, 0));
    poller.revents = 0;
    T(poll(&poller, 1, 0)); C(poller.revents & POLLIN);
    T(waitid(P_PIDFD, 0x7fff, &info, WEXITED)); T(waitid(P_PIDFD, p[0], &info, WEXITED)); T(waitid(P_PIDFD, -1, &info, WEXITED));
    close(fd);
    pid = j_start(sleeper);
    fd = OPEN(pid, O_NONBLOCK);
    T(waitid(P_PIDFD, fd, &info, WEXITED));
    int mine = T(GETFD(fd, p[1], 0) > 2);
    (void)mine;
    T(GETFD(fd, 0x7fff, 0)); T(GETFD(fd, 1, 1)); T(GETFD(p[0], 1, 0));
    memset(&info, 0, sizeof info);
    info.si_signo = SIGUSR1, info.si_code = SI_QUEUE;
    T(SEND(fd, SIGUSR2, &info, 0)); T(SEND(fd, SIGUSR1, BAD, 0));
    info.si_code = SI_USER;
    T(SEND(fd, SIGUSR1, &info, 0));
    info.si_code = SI_QUEUE;
    T(SEND(fd, SIGUSR1, &info, 0));
    j_wait("killed", pid, 0);
    _Atomic int tid = 0;
    pthread_t t;
    pthread_create(&t, NULL, thread, (void *)&tid);
    while (!tid) sched_yield();
    Z(OPEN(tid, O_EXCL));
    return 0;
}
