// diff: timeout=30; libc=glibc
// Named pipes: opening, ends, permissions, what is not a pipe's.
#include "files.h"
#include <poll.h>
#include <sys/ioctl.h>

static void alarmed(int s) { (void)s; }
static short state(int fd) { struct pollfd p = {fd, POLLIN | POLLOUT, 0}; poll(&p, 1, 0); return p.revents; }

int main(void) {
    f_scratch();
    char b[70000]; struct stat s; int n;
    umask(0); T(mkfifo("p", 0640)); T(mkfifo("p", 0600)); T(mkfifo("none/p", 0600)); umask(022); f_show("p");
    T(mkfifoat(-1, "x", 0600)); T(mkfifo("q", 06777)); f_show("q");
    T(open("p", O_WRONLY | O_NONBLOCK)); int r = T(open("p", O_RDONLY | O_NONBLOCK)); T(read(r, b, 10)); N(state(r));
    int w = T(open("p", O_WRONLY | O_NONBLOCK)); T(read(r, b, 10)); N(state(r)); N(state(w)); T(write(w, "hello", 5));
    N(state(r)); fstat(r, &s); N(s.st_size); T(ioctl(r, FIONREAD, &n)); N(n); T(read(r, b, 3)); close(w); T(read(r, b, 10));
    T(read(r, b, 10)); N(state(r)); w = open("p", O_WRONLY); N(state(r)); close(r); signal(SIGPIPE, SIG_IGN);
    T(write(w, "x", 1)); N(state(w)); close(w);
    int rw = T(open("p", O_RDWR | O_NONBLOCK)); T(write(rw, "abc", 3)); T(read(rw, b, 10)); T(read(rw, b, 10));
    T(write(rw, b, 65536)); T(write(rw, b, 1)); T(read(rw, b, 4096)); T(write(rw, b, 4097)); T(write(rw, b, 4096));
    T(lseek(rw, 0, SEEK_SET)); T(pread(rw, b, 1, 0)); T(ftruncate(rw, 0)); T(fsync(rw)); T(truncate("p", 0)); close(rw);
    r = open("p", O_RDONLY | O_NONBLOCK); T(read(r, b, 10)); close(r);
    // opens that wait for the other side
    fflush(stdout);
    if (fork() == 0) { t_sleep_ms(50); int x = open("p", O_WRONLY); write(x, "late", 4); _exit(0); }
    r = T(open("p", O_RDONLY)); T(read(r, b, 10)); wait(NULL); T(read(r, b, 10)); close(r);
    if (fork() == 0) { t_sleep_ms(50); int x = open("p", O_RDONLY); while (read(x, b, sizeof b) > 0) {} _exit(0); }
    w = T(open("p", O_WRONLY)); T(write(w, b, 70000)); close(w); wait(NULL);
    t_handle(SIGALRM, alarmed, 0); alarm(1); T(open("p", O_RDONLY)); alarm(1); T(open("p", O_WRONLY)); 
    AS(1000, 1000) {
        T(open("p", O_RDONLY | O_NONBLOCK)); T(open("p", O_RDWR)); T(mkfifo("mine", 0600)); T(open("mine", O_RDWR));
    }
    T(open("p", O_RDONLY | O_DIRECTORY)); T(open("p", O_RDWR | O_CREAT | O_EXCL, 0600));
    T(close(open("p", O_RDWR | O_CREAT | O_TRUNC, 0600))); T(open("p/", O_RDONLY | O_NONBLOCK)); T(open("p/x", O_RDONLY));
    T(link("p", "p2")); int a = open("p", O_RDWR), c = open("p2", O_RDONLY | O_NONBLOCK); write(a, "same", 4);
    T(read(c, b, 10)); T(unlink("p")); write(a, "still", 5); T(read(c, b, 10)); close(a); T(read(c, b, 10));
    T(rename("p2", "p3")); fstat(c, &s); N(s.st_nlink); printf("%o\n", s.st_mode);
    // atomic writes and packets
    int pp[2]; T(pipe2(pp, O_DIRECT | O_NONBLOCK)); T(write(pp[1], "one", 3)); T(write(pp[1], "two", 3)); T(read(pp[0], b, 10));
    T(read(pp[0], b, 2)); T(read(pp[0], b, 10)); T(pipe2(pp, 0x100)); T(pipe2(BAD, 0)); T(fcntl(pp[0], F_GETFL));
    return 0;
}
