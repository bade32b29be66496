// Record locks: POSIX ones never conflict within a process, open-file-description ones do; flock.
#include "t.h"
#include <sys/file.h>

static int lock(int fd, int command, int type, long start, long length) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result = fcntl(fd, command, &l);
    int error = errno;
    if (result == 0 && (command == F_GETLK || command == F_OFD_GETLK))
        printf("  type %d start %ld len %ld own pid %d\n", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == getpid());
    errno = error;
    return result;
}

int main(void) {
    t_scratch();
    int a = t_file("file", "0123456789"), b = open("file", O_RDWR), r = open("file", O_RDONLY), w = open("file", O_WRONLY);
    T(lock(a, F_SETLK, F_WRLCK, 0, 5));
    T(lock(b, F_SETLK, F_WRLCK, 2, 5));
    T(lock(b, F_GETLK, F_WRLCK, 0, 0));
    T(lock(r, F_SETLK, F_WRLCK, 0, 5));
    T(lock(w, F_SETLK, F_RDLCK, 0, 5));
    T(lock(a, F_SETLK, 77, 0, 5));
    T(lock(a, F_SETLK, F_RDLCK, -1, 5));
    T(lock(-1, F_SETLK, F_RDLCK, 0, 5));
    T(lock(a, F_SETLK, F_UNLCK, 0, 0));
    T(lock(a, F_OFD_SETLK, F_WRLCK, 0, 5));
    T(lock(b, F_OFD_SETLK, F_WRLCK, 4, 2));
    T(lock(b, F_OFD_SETLK, F_WRLCK, 5, 2));
    T(lock(b, F_OFD_GETLK, F_WRLCK, 3, 2));
    T(lock(a, F_OFD_SETLK, F_RDLCK, 0, 5));
    T(lock(b, F_OFD_SETLK, F_RDLCK, 0, 5));
    T(lock(b, F_OFD_SETLK, F_WRLCK, 0, 5));
    T(close(a));
    T(lock(b, F_OFD_SETLK, F_WRLCK, 0, 5));
    T(fcntl(b, F_SETLK, BAD));
    T(flock(b, LOCK_EX));
    T(flock(r, LOCK_SH | LOCK_NB));
    T(flock(b, LOCK_SH));
    T(flock(r, LOCK_SH | LOCK_NB));
    T(flock(b, LOCK_EX | LOCK_NB));
    T(flock(r, LOCK_UN));
    T(flock(b, LOCK_EX | LOCK_NB));
    T(flock(b, 77));
    T(flock(-1, LOCK_SH));
    return 0;
}
