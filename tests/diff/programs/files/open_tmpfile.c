// diff: libc=glibc
// O_TMPFILE and O_PATH: what the descriptors can do.
#include "files.h"
#include <sys/ioctl.h>
#include <sys/xattr.h>

static void path_only(int fd) {
    char b[8];
    struct stat s;
    T(read(fd, b, 1)); T(write(fd, b, 1)); T(pread(fd, b, 1, 0)); T(lseek(fd, 0, SEEK_SET)); T(fsync(fd)); T(ftruncate(fd, 0));
    T(fchmod(fd, 0600)); T(fchown(fd, 0, 0));
    T(ioctl(fd, 0x5421, b)); T(fcntl(fd, F_SETFL, 0)); N(fcntl(fd, F_GETFL)); T(fcntl(fd, F_GETLK, b)); T(fstat(fd, &s));
    T(fgetxattr(fd, "user.a", b, 8)); T(futimens(fd, NULL));
    P(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0)); T(syscall(SYS_getdents64, fd, b, 8)); T(posix_fallocate(fd, 0, 1));
    T(fcntl(fd, F_SETFD, FD_CLOEXEC)); T(fcntl(fd, F_GETOWN)); T(posix_fadvise(fd, 0, 0, 0));
}

int main(void) {
    f_scratch();
    char proc[64];
    struct stat s;
    mkdir("d", 0755);
    int fd = T(open("d", O_TMPFILE | O_RDWR, 0640));
    fstat(fd, &s); printf("mode %o links %d\n", s.st_mode, (int)s.st_nlink);
    T(write(fd, "hello", 5)); sprintf(proc, "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, proc, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW)); t_cat("d/named"); f_show("d/named");
    T(linkat(fd, "", AT_FDCWD, "d/again", AT_EMPTY_PATH)); f_show("d/again"); T(unlink("d/named")); T(unlink("d/again"));
    T(linkat(fd, "", AT_FDCWD, "d/third", AT_EMPTY_PATH)); close(fd);
    fd = T(open("d", O_TMPFILE | O_RDWR | O_EXCL, 0600)); sprintf(proc, "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, proc, AT_FDCWD, "d/never", AT_SYMLINK_FOLLOW)); close(fd);
    T(open("d", O_TMPFILE | O_RDONLY, 0600)); T(open("missing", O_TMPFILE | O_RDWR, 0600));
    T(open("d", O_TMPFILE | O_WRONLY | O_CREAT, 0600)); T(open("d", O_TMPFILE & ~O_DIRECTORY, 0600));
    mkdir("d", 0755); f_make("file", "text", 0644); T(open("file", O_TMPFILE | O_RDWR, 0600));
    T(open("d/", O_TMPFILE | O_WRONLY, 0));
    AS(1000, 1000) { T(open("d", O_TMPFILE | O_RDWR, 0600)); T(open(".", O_TMPFILE | O_RDWR, 0)); }
    symlink("file", "link"); symlink("missing", "dangling"); symlink("d", "dlink");
    fd = T(open("file", O_PATH)); path_only(fd); close(fd);
    fd = T(open("link", O_PATH | O_NOFOLLOW)); fstat(fd, &s); printf("%o\n", s.st_mode);
    T(readlinkat(fd, "", proc, sizeof proc)); T(fchmodat(fd, "", 0600, AT_EMPTY_PATH)); T(openat(fd, "x", O_RDONLY)); close(fd);
    fd = T(open("d", O_PATH | O_DIRECTORY)); T(fchdir(fd)); T(chdir(".."));
    int in = T(openat(fd, "inner", O_CREAT | O_RDWR, 0600)); T(unlinkat(fd, "inner", 0));
    T(syscall(SYS_getdents64, fd, proc, 64)); close(in); close(fd);
    T(open("dangling", O_PATH)); T(open("dangling", O_PATH | O_NOFOLLOW)); T(open("file", O_PATH | O_DIRECTORY));
    T(open("link", O_PATH | O_NOFOLLOW | O_DIRECTORY)); T(open("dlink", O_NOFOLLOW | O_DIRECTORY));
    T(open("dlink/", O_NOFOLLOW | O_DIRECTORY));
    T(open("new", O_PATH | O_CREAT, 0600)); T(open("file", O_PATH | O_TRUNC)); t_cat("file");
    T(open("file", O_PATH | O_WRONLY)); N(fcntl(dup(open("file", O_PATH | O_CLOEXEC | O_WRONLY)), F_GETFL));
    AS(1000, 1000) {
        f_make("own", "mine", 0); int p = T(open("own", O_PATH)); sprintf(proc, "/proc/self/fd/%d", p); T(open(proc, O_RDONLY));
        T(chmod(proc, 0400)); int r = T(open(proc, O_RDONLY)); T(read(r, proc, 4)); T(fstat(p, &s)); T(chmod("file", 0));
        T(open("file", O_RDWR));
    }
    // flags that open passes over, and those it keeps
    fd = open("file", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_EXCL | 0x40000000);
    printf("%#x\n", fcntl(fd, F_GETFL)); T(fcntl(fd, F_SETFL, O_RDONLY | O_NOATIME | O_DSYNC));
    printf("%#x\n", fcntl(fd, F_GETFL)); T(fcntl(fd, F_SETFL, O_APPEND | O_CREAT)); printf("%#x\n", fcntl(fd, F_GETFL));
    fd = open("file", O_RDWR | O_SYNC); printf("%#x\n", fcntl(fd, F_GETFL)); fd = open("file", O_WRONLY | O_DSYNC | O_NOATIME);
    printf("%#x\n", fcntl(fd, F_GETFL)); T(open("file", O_ACCMODE)); printf("%#x\n", fcntl(open("file", O_ACCMODE), F_GETFL));
    T(open("d", O_WRONLY)); T(open("d", O_RDWR)); T(open("d", O_RDONLY | O_TRUNC)); T(open("d", O_CREAT, 0600));
    T(open("d", O_CREAT | O_DIRECTORY, 0600)); T(open("newdir", O_CREAT | O_DIRECTORY, 0600));
    T(open("d/", O_CREAT | O_RDWR, 0600)); T(open("new/", O_CREAT | O_RDWR, 0600));
    T(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600)); T(open("dangling", O_CREAT | O_NOFOLLOW | O_RDWR, 0600));
    T(open("dangling", O_CREAT | O_RDWR, 0600)); f_show("missing"); T(open("dlink", O_CREAT | O_RDWR, 0600));
    T(open("link", O_CREAT | O_EXCL, 0600)); T(open("", O_CREAT | O_RDWR, 0600)); T(open(".", O_CREAT | O_EXCL, 0600));
    T(open("..", O_CREAT, 0600)); T(open("/", O_CREAT | O_EXCL, 0600));
    T(open("file/", O_RDONLY)); T(open("file/.", O_RDONLY)); T(open("file/x", O_CREAT, 0600));
    T(open("missing2/x", O_CREAT, 0600)); T(openat(-1, "file", O_RDONLY)); T(openat(-1, "/dev/null", O_RDONLY));
    T(openat(0x7fffffff, "x", O_RDONLY)); T(open(BAD, O_RDONLY)); T(openat(-1, BAD, O_RDONLY));
    return 0;
}
