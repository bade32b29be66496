// diff: libc=glibc
// Flags of inodes (ioctl_iflags(2)): what immutable and append-only files and directories refuse, and to whom.
#include "files.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

// What every file system here has; others are the file system's own business.
#define COMMON (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

static int flags_of(const char *name) {
    int flags = 0, fd = open(name, O_RDONLY | O_NONBLOCK);
    int error = fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0;
    printf("%s has %s%#x\n", name, error ? t_name(errno) : "", flags & COMMON);
    if (fd >= 0) close(fd);
    return flags;
}

static long set(const char *name, int on, int off) {
    int flags = 0, fd = open(name, O_RDONLY | O_NONBLOCK);
    if (fd < 0) return -1;
    long result = ioctl(fd, FS_IOC_GETFLAGS, &flags);
    flags = (flags | on) & ~off;
    if (result == 0) result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static void attributes(const char *name) {
    struct statx s;
    unsigned long common = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
    if (syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS, &s) != 0) { printf("statx: %s\n", t_name(errno)); return; }
    printf("%s shows %#lx of %#lx\n", name, (unsigned long)(s.stx_attributes & common), (unsigned long)(s.stx_attributes_mask & common));
}

// Every change of a file, tried in turn.
static void changes(const char *name, int before) {
    struct timespec given[2] = {{1, 0}, {2, 0}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, one[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    char to[64];
    snprintf(to, sizeof to, "%s-else", name);
    printf("-- changing %s\n", name);
    T(open(name, O_RDONLY) < 0);
    T(open(name, O_WRONLY) < 0);
    T(open(name, O_WRONLY | O_APPEND) < 0);
    T(open(name, O_RDONLY | O_TRUNC) < 0);
    T(open(name, O_WRONLY | O_APPEND | O_TRUNC) < 0);
    T(access(name, W_OK));
    T(write(before, "x", 1));
    T(ftruncate(before, 1));
    T(fallocate(before, 0, 0, 10));
    T(fallocate(before, FALLOC_FL_KEEP_SIZE, 0, 10));
    T(truncate(name, 1));
    T(chmod(name, 0600));
    T(chown(name, 0, 0));
    T(chown(name, -1, -1));
    T(utimensat(AT_FDCWD, name, given, 0));
    T(utimensat(AT_FDCWD, name, now, 0));
    T(utimensat(AT_FDCWD, name, one, 0));
    T(setxattr(name, "user.a", "1", 1, 0));
    T(getxattr(name, "user.a", NULL, 0));
    T(removexattr(name, "user.a"));
    T(link(name, to));
    T(rename(name, to));
    T(rename("other", name));
    T(unlink(name));
}

static void in_directory(const char *dir) {
    printf("-- in %s\n", dir);
    if (chdir(dir) != 0) perror(dir), exit(99);
    T(close(open("new", O_CREAT | O_WRONLY, 0600)));
    T(mkdir("newdir", 0700));
    T(symlink("x", "newlink"));
    T(link("there", "newname"));
    T(rename("there", "moved"));
    T(rename("../other", "there"));
    T(rename("../other", "from"));
    T(unlink("there"));
    T(rmdir("sub"));
    T(close(open(".", O_TMPFILE | O_RDWR, 0600)));
    T(t_file("there", "changed") < 0);
    T(chmod(".", 0700));
    if (chdir("..") != 0) exit(99);
    T(rmdir(dir));
}

int main(void) {
    f_scratch();
    f_make("f", "text", 0644);
    f_make("other", "text", 0644);
    mkdir("d", 0755);
    mkfifo("p", 0600);
    flags_of("f");
    flags_of("d");
    int pipes[2], got;
    T(pipe(pipes));
    T(ioctl(pipes[0], FS_IOC_GETFLAGS, &got));
    T(ioctl(pipes[0], FS_IOC_SETFLAGS, &got));
    T(ioctl(open("p", O_RDWR), FS_IOC_GETFLAGS, &got));
    T(ioctl(open("f", O_PATH), FS_IOC_GETFLAGS, &got));
    T(ioctl(open("f", O_RDONLY), FS_IOC_GETFLAGS, BAD));
    T(ioctl(open("f", O_RDONLY), FS_IOC_SETFLAGS, BAD));
    T(ioctl(open("/dev/null", O_RDONLY), FS_IOC_GETFLAGS, &got));
    T(set("f", FS_NODUMP_FL | FS_NOATIME_FL, 0));
    flags_of("f");
    attributes("f");
    T(set("f", 0, FS_NODUMP_FL | FS_NOATIME_FL));
    T(set("d", FS_NODUMP_FL, 0));
    close(open("d/child", O_CREAT | O_WRONLY, 0600));
    mkdir("d/sub", 0755);
    flags_of("d/child");
    flags_of("d/sub");
    // Who may.
    chmod("f", 0666);
    AS(1000, 1000) {
        T(set("f", FS_NODUMP_FL, 0));
        close(open("mine", O_CREAT | O_WRONLY, 0644));
        T(set("mine", FS_NODUMP_FL, 0));
        T(set("mine", FS_IMMUTABLE_FL, 0));
        T(set("mine", FS_APPEND_FL, 0));
        flags_of("mine");
    }
    int before = open("f", O_RDWR), appends = open("f", O_RDWR | O_APPEND);
    T(set("f", FS_APPEND_FL, 0));
    attributes("f");
    changes("f", appends);
    T(fcntl(appends, F_SETFL, 0));
    T(fcntl(before, F_SETFL, O_APPEND));
    AS(1000, 1000) T(set("f", 0, FS_APPEND_FL));
    T(set("f", FS_IMMUTABLE_FL, FS_APPEND_FL));
    attributes("f");
    changes("f", open("/dev/null", O_WRONLY));
    AS(1000, 1000) {
        T(chmod("f", 0600));
        T(open("f", O_WRONLY));
        T(set("f", 0, FS_IMMUTABLE_FL));
    }
    T(set("f", FS_NODUMP_FL, 0));
    T(set("f", 0, COMMON));
    T(unlink("f"));
    for (int round = 0; round < 2; round++) {
        const char *dir = round ? "fixed" : "log";
        char path[64];
        mkdir(dir, 0755);
        snprintf(path, sizeof path, "%s/there", dir);
        f_make(path, "text", 0644);
        snprintf(path, sizeof path, "%s/sub", dir);
        mkdir(path, 0755);
        T(set(dir, round ? FS_IMMUTABLE_FL : FS_APPEND_FL, 0));
        in_directory(dir);
        T(set(dir, 0, COMMON));
    }
    return 0;
}
