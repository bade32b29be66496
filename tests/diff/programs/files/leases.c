// diff: timeout=30; libc=glibc; disk=no
// Leases: who may have one, who is told, what ends the wait; signals of files with O_ASYNC.
#include "files.h"
#include <poll.h>
#include <sys/socket.h>

static volatile int signals, code, fd_, band;
static void told(int s, siginfo_t *i, void *c) { (void)s; (void)c; signals++, code = i->si_code, fd_ = i->si_fd, band = i->si_band; }
static void show(const char *what) { printf("%s: signals %d code %d fd %d band %#x\n", what, signals, code, fd_, band); signals = code = fd_ = band = 0; }
static long lease(int fd) { return fcntl(fd, F_GETLEASE); }

int main(void) {
    f_scratch();
    t_handle(SIGIO, told, SA_SIGINFO); t_handle(SIGUSR1, told, SA_SIGINFO);
    close(t_file("f", "text"));
    int r = open("f", O_RDONLY), rw = open("f", O_RDWR), path = open("f", O_PATH), pipes[2], null = open("/dev/null", O_RDONLY);
    pipe(pipes);
    T(lease(r)); T(fcntl(r, F_SETLEASE, F_RDLCK)); T(fcntl(r, F_SETLEASE, F_WRLCK)); T(fcntl(rw, F_SETLEASE, F_WRLCK));
    T(fcntl(r, F_SETLEASE, F_UNLCK)); T(fcntl(r, F_SETLEASE, 7)); T(fcntl(path, F_SETLEASE, F_RDLCK));
    T(fcntl(-1, F_SETLEASE, F_RDLCK)); T(fcntl(pipes[0], F_SETLEASE, F_RDLCK)); T(fcntl(null, F_SETLEASE, F_RDLCK));
    T(fcntl(pipes[0], F_GETLEASE)); T(fcntl(path, F_GETLEASE)); close(path);
    close(rw); T(fcntl(r, F_SETLEASE, F_RDLCK)); N(lease(r)); int r2 = open("f", O_RDONLY); T(lease(r2));
    T(fcntl(r2, F_SETLEASE, F_RDLCK)); T(fcntl(r2, F_SETLEASE, F_UNLCK)); T(fcntl(r2, F_SETLEASE, F_UNLCK)); close(r2);
    show("nothing");
    T(open("f", O_WRONLY | O_NONBLOCK)); show("write open"); N(lease(r)); T(open("f", O_WRONLY | O_NONBLOCK)); show("again");
    T(fcntl(r, F_SETLEASE, F_RDLCK)); T(fcntl(r, F_SETLEASE, F_UNLCK)); N(lease(r)); T(open("f", O_WRONLY | O_NONBLOCK));
    close(r);
    for (int i = 0; i < 100; i++) if (i > 2) close(i);
    int w = open("f", O_RDWR); T(fcntl(w, F_SETLEASE, F_RDLCK)); T(fcntl(w, F_SETLEASE, F_WRLCK)); N(lease(w));
    T(fcntl(w, F_SETSIG, SIGUSR1)); T(open("f", O_RDONLY | O_NONBLOCK)); show("read open"); N(lease(w));
    T(open("f", O_RDWR | O_NONBLOCK)); show("write open"); N(lease(w)); T(fcntl(w, F_SETLEASE, F_UNLCK)); close(w);
    // who waits goes on when the holder gives way
    w = open("f", O_RDWR); T(fcntl(w, F_SETLEASE, F_WRLCK)); fflush(stdout);
    pid_t child = fork();
    if (child == 0) { close(w); int got = open("f", O_RDONLY); printf("child %s\n", f_word(got)); close(got); _exit(0); }
    while (!signals) t_sleep_ms(5);
    show("child opens"); close(w); wait(NULL);
    w = open("f", O_RDWR); T(fcntl(w, F_SETLEASE, F_WRLCK)); fflush(stdout);
    if (fork() == 0) { close(w); printf("child %s\n", f_word(truncate("f", 2))); _exit(0); }
    while (!signals) t_sleep_ms(5);
    T(fcntl(w, F_SETLEASE, F_UNLCK)); wait(NULL); close(w); t_cat("f");
    w = open("f", O_RDWR); int copy = dup(w); T(fcntl(w, F_SETLEASE, F_WRLCK)); T(lease(copy)); close(w); T(lease(copy));
    close(copy); T(open("f", O_RDONLY | O_NONBLOCK));
    AS(1000, 1000) {
        f_make("own", "x", 0644); int o = open("own", O_RDONLY); T(fcntl(o, F_SETLEASE, F_RDLCK));
        int o2 = open("/etc/passwd", O_RDONLY); T(fcntl(o2, F_SETLEASE, F_RDLCK)); T(fcntl(o2, F_SETLEASE, 9));
    }
    // signals of files
    signals = 0; pipe(pipes); T(fcntl(pipes[0], F_SETFL, O_ASYNC)); write(pipes[1], "x", 1); show("no owner");
    T(fcntl(pipes[0], F_SETOWN, getpid())); write(pipes[1], "x", 1); show("owner"); T(fcntl(pipes[0], F_SETSIG, SIGUSR1));
    write(pipes[1], "x", 1); show("own signal"); T(fcntl(pipes[0], F_SETFL, 0)); write(pipes[1], "x", 1); show("off");
    T(fcntl(pipes[0], F_SETFL, O_ASYNC)); close(pipes[1]); C(signals > 0); signals = 0;
    int sv[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, sv); T(fcntl(sv[0], F_SETSIG, SIGUSR1)); T(fcntl(sv[0], F_SETOWN, getpid()));
    T(fcntl(sv[0], F_SETFL, O_ASYNC)); T(write(sv[1], "x", 1)); show("socket"); T(fcntl(sv[0], F_SETFL, 0));
    T(write(sv[1], "x", 1)); show("off");
    return 0;
}
