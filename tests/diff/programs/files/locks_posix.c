// diff: timeout=30; libc=glibc
// POSIX record locks: conflicts, splitting and joining, what F_GETLK tells, close and fork, deadlock.
#include "files.h"

static int fd;

static int lock_on(int f, int cmd, int type, int whence, long start, long len) {
    struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = len};
    return fcntl(f, cmd, &l);
}
static int lock(int type, long start, long len) { return lock_on(fd, F_SETLK, type, SEEK_SET, start, len); }

// What another process would run into, byte by byte and as F_GETLK tells it.
static void map_(const char *what) {
    fflush(stdout);
    pid_t parent = getpid();
    if (fork() == 0) {
        printf("%s: ", what);
        for (int at = 0; at < 40; at++) {
            struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
            int result = fcntl(fd, F_GETLK, &l);
            putchar(result ? '?' : l.l_type == F_UNLCK ? '.' : l.l_pid != parent ? '!' : l.l_type == F_RDLCK ? 'r' : 'W');
        }
        for (long at = 0, n = 0; n < 8; n++) {
            struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 0};
            fcntl(fd, F_GETLK, &l);
            if (l.l_type == F_UNLCK) break;
            printf(" %c%ld+%ld/%d", l.l_type == F_RDLCK ? 'r' : 'W', (long)l.l_start, (long)l.l_len, l.l_whence);
            if (l.l_len == 0) break;
            at = l.l_start + l.l_len;
        }
        printf("\n");
        _exit(0);
    }
    wait(NULL);
}

static void alarmed(int s) { (void)s; }

int main(void) {
    f_scratch();
    fd = t_file("f", "0123456789");
    T(lock(F_WRLCK, 10, 10)); map_("10+10 W"); T(lock(F_RDLCK, 12, 3)); map_("12+3 r"); T(lock(F_UNLCK, 14, 1)); map_("14 free"); T(lock(F_RDLCK, 15, 1)); map_("15 r");
    T(lock(F_RDLCK, 14, 1)); map_("14 r"); T(lock(F_WRLCK, 0, 5)); T(lock(F_WRLCK, 5, 5)); map_("join"); T(lock(F_UNLCK, 0, 0)); map_("none");
    T(lock(F_RDLCK, 30, 0)); map_("30 to the end"); T(lock(F_WRLCK, 35, 2)); map_("35+2 W"); T(lock(F_UNLCK, 0, 0));
    T(lock(F_WRLCK, 20, -5)); map_("negative"); T(lock(F_WRLCK, 3, -5)); T(lock(F_WRLCK, -1, 1)); T(lock(F_UNLCK, 0, 0));
    lseek(fd, 4, SEEK_SET); T(lock_on(fd, F_SETLK, F_WRLCK, SEEK_CUR, 1, 2)); T(lock_on(fd, F_SETLK, F_RDLCK, SEEK_END, -1, 3)); map_("whence"); T(lock(F_UNLCK, 0, 0));
    T(lock_on(fd, F_SETLK, F_WRLCK, 3, 0, 1)); T(lock_on(fd, F_SETLK, 7, SEEK_SET, 0, 1)); T(lock_on(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 1)); T(lock_on(fd, F_GETLK, 9, SEEK_SET, 0, 1));
    T(fcntl(fd, F_SETLK, NULL)); T(fcntl(fd, F_GETLK, BAD)); T(fcntl(-1, F_SETLK, NULL)); T(fcntl(99, F_SETLK, BAD));
    T(lock_on(fd, F_SETLK, F_WRLCK, SEEK_SET, LONG_MAX, 1)); T(lock_on(fd, F_SETLK, F_WRLCK, SEEK_SET, LONG_MAX, 2)); T(lock_on(fd, F_SETLK, F_WRLCK, SEEK_END, LONG_MAX, 0)); T(lock(F_UNLCK, 0, 0));
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), path = open("f", O_PATH), dir = open(".", O_RDONLY);
    T(lock_on(ro, F_SETLK, F_WRLCK, SEEK_SET, 0, 1)); T(lock_on(ro, F_SETLK, F_RDLCK, SEEK_SET, 0, 1)); T(lock_on(wo, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
    T(lock_on(path, F_SETLK, F_RDLCK, SEEK_SET, 0, 1)); T(lock_on(dir, F_SETLK, F_RDLCK, SEEK_SET, 0, 1)); T(lock_on(dir, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
    int pipes[2]; pipe(pipes); T(lock_on(pipes[0], F_SETLK, F_RDLCK, SEEK_SET, 0, 1)); T(lock_on(pipes[1], F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
    T(lock(F_WRLCK, 0, 10)); map_("before close"); close(ro); map_("closed another"); // every lock of the process went
    T(lock(F_WRLCK, 0, 10));
    fflush(stdout);
    if (fork() == 0) {
        T(lock(F_WRLCK, 5, 1)); T(lock(F_RDLCK, 10, 1)); T(lock(F_UNLCK, 0, 0)); close(fd); fd = open("f", O_RDWR); T(lock(F_RDLCK, 0, 1)); T(lock_on(fd, F_SETLK, F_RDLCK, SEEK_SET, 9, 2));
        t_handle(SIGALRM, alarmed, 0); struct itimerval soon = {{0, 0}, {0, 50000}}; setitimer(ITIMER_REAL, &soon, NULL);
        T(lock_on(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1));
        _exit(0);
    }
    wait(NULL); map_("after the child");
    // waiting, and deadlock
    int ready[2]; pipe(ready);
    T(lock(F_UNLCK, 0, 0)); T(lock(F_WRLCK, 0, 1));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        lock(F_WRLCK, 1, 1); write(ready[1], "x", 1);
        int r = lock_on(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1); // waits for the parent
        printf("child: %d\n", r); fflush(stdout); _exit(0);
    }
    char c; read(ready[0], &c, 1); t_sleep_ms(100);
    T(lock_on(fd, F_SETLKW, F_WRLCK, SEEK_SET, 1, 1));
    lock(F_UNLCK, 0, 1); wait(NULL); // only the child talks now
    T(lock_on(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 5)); map_("end");
    // Any descriptor of the file takes the locks with it, but not one that is only a place.
    close(open("f", O_PATH)); map_("place closed"); close(open("f", O_RDONLY)); map_("file closed");
    // lockf
    lseek(fd, 0, SEEK_SET); T(lock(F_UNLCK, 0, 0)); T(lockf(fd, F_TLOCK, 5)); map_("lockf"); T(lockf(fd, F_TEST, 5)); T(lockf(fd, F_ULOCK, 2)); map_("unlockf"); T(lockf(fd, 9, 1));
    fflush(stdout);
    if (fork() == 0) { T(lockf(fd, F_TEST, 0)); T(lockf(fd, F_TLOCK, 0)); T(lockf(fd, F_TEST, 2)); _exit(0); }
    wait(NULL);
    return 0;
}
