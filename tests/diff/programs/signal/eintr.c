// Which blocking calls go on after a handler with SA_RESTART, and which fail with EINTR in any case (signal(7)).
// diff: cpus=2; timeout=60; libc=glibc
#include "../t.h"
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static pthread_t mainthread;
static _Atomic int done, kicks;
static int feed[2], drain[2], pair[2], event, timer, sigfd, epoll, sem, queue;
static uint32_t word;
static void (*release)(void);
static void handler(int s) { (void)s; kicks++; }

// Signals the main thread a few times; if it has not returned by then, releases it.
static void *kicker(void *unused) {
    for (int i = 0; i < 4 && !done; i++) {
        t_sleep_ms(25);
        if (!done) pthread_kill(mainthread, SIGUSR1);
    }
    t_sleep_ms(25);
    for (int i = 0; i < 200 && !done; i++) {
        if (release) release();
        t_sleep_ms(5);
    }
    return unused;
}

static void feed_byte(void) { write(feed[1], "x", 1); }
static void drain_byte(void) { char b[4096]; read(drain[0], b, sizeof b); }
static void feed_pair(void) { write(pair[1], "x", 1); }
static void add_event(void) { uint64_t one = 1; write(event, &one, 8); }
static void wake(void) { word = 1; syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0); }
static void up(void) { struct sembuf op = {0, 1, IPC_NOWAIT}; semop(sem, &op, 1); }
static void post(void) { struct { long type; char c; } m = {1, 'x'}; msgsnd(queue, &m, 1, IPC_NOWAIT); }
static void kick_rt(void) { pthread_kill(mainthread, SIGRTMIN); }

static long attempt(long (*call)(void)) { errno = 0; return call(); }
static void both(const char *name, long (*call)(void), void (*how)(void)) {
    for (int restart = 0; restart < 2; restart++) {
        pthread_t t;
        t_handle(SIGUSR1, handler, restart ? SA_RESTART : 0);
        done = 0;
        kicks = 0;
        release = how;
        pthread_create(&t, NULL, kicker, NULL);
        long result = attempt(call);
        int error = errno;
        done = 1;
        pthread_join(t, NULL);
        printf("%s%s: %s\n", name, restart ? " restart" : "", result == -1 ? t_name(error) : "done");
    }
}
static char buffer[1 << 20];
static long c_read_pipe(void) { return read(feed[0], buffer, 1); }
static long c_readv(void) { struct iovec v = {buffer, 1}; return readv(feed[0], &v, 1); }
static long c_write_pipe(void) { return write(drain[1], buffer, 4096); }
static long c_recv(void) { return recv(pair[0], buffer, 1, 0); }
static long c_recvfrom_timeout(void) {
    struct timeval t = {3, 0}, none = {0, 0};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    long n = recv(pair[0], buffer, 1, 0);
    int e = errno;
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
    errno = e;
    return n;
}
static long c_recvmsg(void) { struct iovec v = {buffer, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return recvmsg(pair[0], &m, 0); }
static long c_eventfd(void) { return read(event, buffer, 8); }
static long c_timerfd(void) {
    struct itimerspec s = {{0, 0}, {0, 400000000}};
    timerfd_settime(timer, 0, &s, NULL);
    return read(timer, buffer, 8);
}
static long c_signalfd(void) { return read(sigfd, buffer, sizeof(struct signalfd_siginfo)); }
static long c_poll(void) { struct pollfd p = {feed[0], POLLIN, 0}; return poll(&p, 1, 3000); }
static long c_poll_forever(void) { struct pollfd p = {feed[0], POLLIN, 0}; return poll(&p, 1, -1); }
static long c_ppoll(void) { struct pollfd p = {feed[0], POLLIN, 0}; return ppoll(&p, 1, NULL, NULL); }
static long c_select(void) { fd_set f; FD_ZERO(&f); FD_SET(feed[0], &f); return select(feed[0] + 1, &f, NULL, NULL, NULL); }
static long c_pselect(void) { fd_set f; FD_ZERO(&f); FD_SET(feed[0], &f); struct timespec t = {3, 0}; return pselect(feed[0] + 1, &f, NULL, NULL, &t, NULL); }
static long c_epoll_wait(void) { struct epoll_event e; return epoll_wait(epoll, &e, 1, -1); }
static long c_epoll_pwait(void) { struct epoll_event e; return epoll_pwait(epoll, &e, 1, 3000, NULL); }
static long c_futex(void) { word = 0; return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static long c_futex_timeout(void) { word = 0; struct timespec t = {3, 0}; return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0); }
static long c_futex_bitset(void) { word = 0; return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1); }
static long c_nanosleep(void) { struct timespec t = {0, 500000000}; return nanosleep(&t, NULL); }
static long c_clock_abs(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += 1;
    int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    errno = e;
    return e ? -1 : 0;
}
static long c_pause(void) { return pause(); }
static long c_sigsuspend(void) { sigset_t none; sigemptyset(&none); return sigsuspend(&none); }
static long c_sigtimedwait(void) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGRTMIN); struct timespec t = {3, 0}; return sigtimedwait(&s, NULL, &t); }
static long c_semop(void) { struct sembuf op = {0, -1, 0}; return semop(sem, &op, 1); }
static long c_semtimedop(void) { struct sembuf op = {0, -1, 0}; struct timespec t = {3, 0}; return semtimedop(sem, &op, 1, &t); }
static long c_msgrcv(void) { struct { long type; char c[8]; } m; return msgrcv(queue, &m, 1, 0, 0); }
static long c_wait(void) {
    pid_t p = fork();
    if (p == 0) { t_sleep_ms(400); _exit(0); }
    int status;
    long r = waitpid(p, &status, 0);
    int e = errno;
    while (r == -1 && waitpid(p, &status, 0) == -1 && errno == EINTR) {}
    errno = e;
    return r;
}
static long c_waitid(void) {
    pid_t p = fork();
    if (p == 0) { t_sleep_ms(400); _exit(0); }
    siginfo_t info;
    long r = waitid(P_PID, (id_t)p, &info, WEXITED);
    int e = errno;
    while (r == -1 && waitid(P_PID, (id_t)p, &info, WEXITED) == -1 && errno == EINTR) {}
    errno = e;
    return r;
}
static int lockfd;
static pid_t holder;
static void drop_lock(void) { kill(holder, SIGKILL); }
static void hold(void (*take)(void)) {
    int ready[2];
    pipe(ready);
    holder = fork();
    if (holder == 0) { take(); write(ready[1], "x", 1); pause(); _exit(0); }
    read(ready[0], buffer, 1);
    close(ready[0]); close(ready[1]);
}
static void take_flock(void) { int fd = open("eintr_lock", O_RDWR); flock(fd, LOCK_EX); }
static void take_record(void) { struct flock l = {.l_type = F_WRLCK}; int fd = open("eintr_lock", O_RDWR); fcntl(fd, F_SETLK, &l); }
static long c_flock(void) {
    hold(take_flock);
    long r = flock(lockfd, LOCK_EX);
    int e = errno;
    flock(lockfd, LOCK_UN);
    kill(holder, SIGKILL);
    while (waitpid(holder, NULL, 0) == -1 && errno == EINTR) {}
    errno = e;
    return r;
}
static long c_setlkw(void) {
    hold(take_record);
    struct flock l = {.l_type = F_WRLCK};
    long r = fcntl(lockfd, F_SETLKW, &l);
    int e = errno;
    l.l_type = F_UNLCK;
    fcntl(lockfd, F_SETLK, &l);
    kill(holder, SIGKILL);
    while (waitpid(holder, NULL, 0) == -1 && errno == EINTR) {}
    errno = e;
    return r;
}
static void open_fifo(void) { int fd = open("eintr_fifo", O_WRONLY | O_NONBLOCK); if (fd >= 0) close(fd); }
static long c_open_fifo(void) { int fd = open("eintr_fifo", O_RDONLY); if (fd >= 0) close(fd); return fd < 0 ? -1 : 0; }
static int listener;
static void join_listener(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "eintr_sock"};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(s, (void *)&a, sizeof a);
    t_sleep_ms(20);
    close(s);
}
static long c_accept(void) { int s = accept(listener, NULL, NULL); if (s >= 0) close(s); return s < 0 ? -1 : 0; }

int main(void) {
    mainthread = pthread_self();
    t_scratch();
    sigset_t rt;
    sigemptyset(&rt);
    sigaddset(&rt, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &rt, NULL);
    pipe(feed);
    pipe(drain);
    fcntl(drain[1], F_SETFL, O_NONBLOCK);
    while (write(drain[1], buffer, 4096) > 0) {}
    fcntl(drain[1], F_SETFL, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    event = eventfd(0, 0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    sigfd = signalfd(-1, &rt, 0);
    epoll = epoll_create1(0);
    struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, feed[0], &e);
    sem = semget(IPC_PRIVATE, 1, 0600);
    queue = msgget(IPC_PRIVATE, 0600);
    close(t_file("eintr_lock", "x"));
    lockfd = open("eintr_lock", O_RDWR);
    unlink("eintr_fifo");
    mkfifo("eintr_fifo", 0600);
    unlink("eintr_sock");
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "eintr_sock"};
    bind(listener, (void *)&a, sizeof a);
    listen(listener, 100);
    both("read", c_read_pipe, feed_byte);
    both("readv", c_readv, feed_byte);
    fcntl(feed[0], F_SETFL, O_NONBLOCK);
    while (read(feed[0], buffer, 100) > 0) {}
    fcntl(feed[0], F_SETFL, 0);
    both("write", c_write_pipe, drain_byte);
    both("recv", c_recv, feed_pair);
    while (recv(pair[0], buffer, 100, MSG_DONTWAIT) > 0) {}
    both("recv with SO_RCVTIMEO", c_recvfrom_timeout, feed_pair);
    while (recv(pair[0], buffer, 100, MSG_DONTWAIT) > 0) {}
    both("recvmsg", c_recvmsg, feed_pair);
    both("accept", c_accept, join_listener);
    both("eventfd", c_eventfd, add_event);
    both("timerfd", c_timerfd, NULL);
    both("signalfd", c_signalfd, kick_rt);
    { struct timespec z = {0, 0}; while (sigtimedwait(&rt, NULL, &z) > 0) {} }
    both("poll", c_poll, feed_byte);
    both("poll for ever", c_poll_forever, feed_byte);
    both("ppoll", c_ppoll, feed_byte);
    both("select", c_select, feed_byte);
    both("pselect", c_pselect, feed_byte);
    both("epoll_wait", c_epoll_wait, feed_byte);
    both("epoll_pwait", c_epoll_pwait, feed_byte);
    both("futex", c_futex, wake);
    both("futex with timeout", c_futex_timeout, wake);
    both("futex bitset", c_futex_bitset, wake);
    both("nanosleep", c_nanosleep, NULL);
    both("clock_nanosleep", c_clock_abs, NULL);
    both("pause", c_pause, NULL);
    both("sigsuspend", c_sigsuspend, NULL);
    both("sigtimedwait", c_sigtimedwait, kick_rt);
    both("semop", c_semop, up);
    both("semtimedop", c_semtimedop, up);
    both("msgrcv", c_msgrcv, post);
    both("wait", c_wait, NULL);
    both("waitid", c_waitid, NULL);
    both("flock", c_flock, drop_lock);
    both("F_SETLKW", c_setlkw, drop_lock);
    both("open of a FIFO", c_open_fifo, open_fifo);
    semctl(sem, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    unlink("eintr_fifo"); unlink("eintr_lock"); unlink("eintr_sock");
    return 0;
}
