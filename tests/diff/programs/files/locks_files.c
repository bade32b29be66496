// diff: timeout=30; libc=glibc
// Locks of open file descriptions, and flock: who shares them, who conflicts, what ends them.
#include "files.h"
#include <sys/file.h>

static int ofd(int fd, int cmd, int type, long start, long len) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    int result = fcntl(fd, cmd, &l);
    if (cmd == F_OFD_GETLK && result == 0) printf("  [%d %ld+%ld pid %d]\n", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == -1 ? -1 : l.l_pid != 0);
    return result;
}
static void alarmed(int s) { (void)s; }

int main(void) {
    f_scratch();
    int a = t_file("f", "text"), b = open("f", O_RDWR), ro = open("f", O_RDONLY), d = dup(a);
    T(ofd(a, F_OFD_SETLK, F_WRLCK, 0, 10)); T(ofd(b, F_OFD_SETLK, F_WRLCK, 5, 1)); T(ofd(b, F_OFD_SETLK, F_RDLCK, 5, 1)); T(ofd(d, F_OFD_SETLK, F_RDLCK, 5, 1)); T(ofd(b, F_OFD_SETLK, F_RDLCK, 5, 1));
    T(ofd(b, F_OFD_GETLK, F_WRLCK, 0, 0)); T(ofd(a, F_OFD_GETLK, F_WRLCK, 0, 4)); T(ofd(ro, F_OFD_SETLK, F_WRLCK, 20, 1)); T(ofd(ro, F_OFD_SETLK, F_RDLCK, 20, 1));
    struct flock p = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1}; T(fcntl(b, F_SETLK, &p)); T(fcntl(b, F_GETLK, &p)); N(p.l_pid); N(p.l_type);
    struct flock withpid = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 30, .l_len = 1, .l_pid = 5}; T(fcntl(b, F_OFD_SETLK, &withpid)); T(fcntl(b, F_OFD_GETLK, &withpid));
    p = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = 5}; T(fcntl(b, F_SETLK, &p)); T(ofd(b, F_OFD_SETLK, F_WRLCK, 50, 1)); T(ofd(b, F_OFD_GETLK, F_WRLCK, 50, 1));
    close(a); T(ofd(b, F_OFD_SETLK, F_WRLCK, 0, 1)); close(d); T(ofd(b, F_OFD_SETLK, F_WRLCK, 0, 1)); T(ofd(b, F_OFD_SETLK, F_UNLCK, 0, 0));
    fflush(stdout);
    ofd(b, F_OFD_SETLK, F_WRLCK, 0, 1);
    if (fork() == 0) { T(ofd(b, F_OFD_SETLK, F_WRLCK, 0, 5)); int own = open("f", O_RDWR); T(ofd(own, F_OFD_SETLK, F_RDLCK, 0, 1)); T(ofd(own, F_OFD_GETLK, F_RDLCK, 0, 1));
        t_handle(SIGALRM, alarmed, 0); struct itimerval soon = {{0, 0}, {0, 50000}}; setitimer(ITIMER_REAL, &soon, NULL); T(ofd(own, F_OFD_SETLKW, F_RDLCK, 0, 1)); _exit(0); }
    wait(NULL); T(ofd(ro, F_OFD_GETLK, F_RDLCK, 0, 5)); T(ofd(b, F_OFD_SETLK, F_UNLCK, 0, 0));
    // flock
    int x = open("f", O_RDONLY), y = open("f", O_RDONLY), z = dup(x);
    T(flock(x, LOCK_EX)); T(flock(y, LOCK_SH | LOCK_NB)); T(flock(z, LOCK_EX | LOCK_NB)); T(flock(z, LOCK_SH)); T(flock(y, LOCK_SH | LOCK_NB)); T(flock(x, LOCK_EX | LOCK_NB));
    T(flock(y, LOCK_UN)); T(flock(x, LOCK_EX | LOCK_NB)); T(flock(z, LOCK_UN)); T(flock(y, LOCK_EX | LOCK_NB)); T(flock(y, LOCK_UN));
    T(flock(x, 0)); T(flock(x, LOCK_SH | LOCK_EX)); T(flock(x, LOCK_NB)); T(flock(x, 16)); T(flock(x, LOCK_MAND | LOCK_READ)); T(flock(-1, LOCK_SH)); T(flock(99, 77));
    int path = open("f", O_PATH), dir = open(".", O_RDONLY), pipes[2]; pipe(pipes);
    T(flock(path, LOCK_SH)); T(flock(dir, LOCK_EX)); T(flock(dir, LOCK_UN)); T(flock(pipes[0], LOCK_EX)); T(flock(pipes[0], LOCK_UN)); T(flock(0, LOCK_SH)); T(flock(0, LOCK_UN));
    flock(x, LOCK_EX);
    fflush(stdout);
    if (fork() == 0) { T(flock(x, LOCK_EX | LOCK_NB)); int own = open("f", O_RDONLY); T(flock(own, LOCK_SH | LOCK_NB)); T(flock(x, LOCK_UN)); T(flock(own, LOCK_EX | LOCK_NB)); _exit(0); }
    wait(NULL); T(flock(y, LOCK_SH | LOCK_NB)); T(flock(y, LOCK_UN));
    // The last descriptor ends the lock, also when a child has it.
    flock(x, LOCK_EX); close(x); T(flock(y, LOCK_SH | LOCK_NB)); close(z); T(flock(y, LOCK_SH | LOCK_NB)); T(flock(y, LOCK_UN));
    x = open("f", O_RDONLY); flock(x, LOCK_EX); t_handle(SIGALRM, alarmed, 0); struct itimerval soon = {{0, 0}, {0, 50000}}; setitimer(ITIMER_REAL, &soon, NULL); T(flock(y, LOCK_EX));
    t_handle(SIGALRM, alarmed, SA_RESTART);
    fflush(stdout);
    if (fork() == 0) { t_sleep_ms(200); flock(x, LOCK_UN); _exit(0); }
    setitimer(ITIMER_REAL, &soon, NULL); T(flock(y, LOCK_EX)); wait(NULL);
    return 0;
}
