// diff: libc=glibc
// FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR (ioctl_xfs_fsgetxattr(2)): the flags of inodes by their other name.
#include "files.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define COMMON (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

static void shown(const char *what, int fd) {
    struct fsxattr x;
    int flags = 0;
    memset(&x, 0xee, sizeof x);
    if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0) { printf("%s: %s\n", what, t_name(errno)); return; }
    T(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    printf("%s: xflags %#x extsize %u project %u cow %u pad %d, flags %#x\n", what, x.fsx_xflags, x.fsx_extsize, x.fsx_projid,
           x.fsx_cowextsize, x.fsx_pad[0] | x.fsx_pad[7], flags & COMMON);
}

static long set(int fd, unsigned xflags, unsigned extsize, unsigned project, unsigned cow) {
    struct fsxattr x;
    memset(&x, 0, sizeof x);
    x.fsx_xflags = xflags;
    x.fsx_extsize = extsize;
    x.fsx_projid = project;
    x.fsx_cowextsize = cow;
    return ioctl(fd, FS_IOC_FSSETXATTR, &x);
}

static void errors(const char *what, int fd) {
    printf("-- %s\n", what);
    for (unsigned bit = 0; bit < 32; bit++) {
        long result = set(fd, 1u << bit, 0, 0, 0);
        printf("bit %u: %s\n", bit, result < 0 ? t_name(errno) : "set");
        shown(what, fd);
        // Immutable or not, the flags can be taken back.
        T(set(fd, 0, 0, 0, 0));
    }
    T(set(fd, 0, 4096, 0, 0));
    T(set(fd, FS_XFLAG_EXTSIZE, 4096, 0, 0));
    T(set(fd, FS_XFLAG_EXTSZINHERIT, 4096, 0, 0));
    T(set(fd, FS_XFLAG_COWEXTSIZE, 0, 0, 4096));
    T(set(fd, 0, 0, 7, 0));
    T(set(fd, 0, 0, 0, 4096));
    shown(what, fd);
    int flags = 0;
    T(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    flags |= FS_NODUMP_FL | FS_NOATIME_FL;
    T(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    shown(what, fd);
    T(set(fd, FS_XFLAG_NODUMP, 0, 0, 0));
    shown(what, fd);
    T(set(fd, 0, 0, 0, 0));
    T(ioctl(fd, FS_IOC_FSGETXATTR, (void *)8));
    T(ioctl(fd, FS_IOC_FSSETXATTR, (void *)8));
}

static void as(int uid, const char *what, int fd) {
    fflush(stdout);
    if (fork() == 0) {
        if (setresuid(uid, uid, uid) != 0) _exit(1);
        printf("-- as %s\n", what);
        T(set(fd, FS_XFLAG_NODUMP, 0, 0, 0));
        T(set(fd, FS_XFLAG_IMMUTABLE, 0, 0, 0));
        T(set(fd, FS_XFLAG_APPEND | FS_XFLAG_NODUMP, 0, 0, 0));
        T(set(fd, 0, 0, 7, 0));
        T(set(fd, 0, 0, 0, 0));
        T(ioctl(fd, FS_IOC_FSSETXATTR, (void *)8));
        shown(what, fd);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

int main(void) {
    f_scratch();
    int file = open("file", O_RDWR | O_CREAT, 0666);
    mkdir("dir", 0777);
    int dir = open("dir", O_RDONLY);
    mkfifo("fifo", 0666);
    int fifo = open("fifo", O_RDWR), null = open("/dev/null", O_RDWR);
    errors("file", file);
    errors("dir", dir);
    shown("fifo", fifo);
    shown("null", null);
    T(set(fifo, FS_XFLAG_NODUMP, 0, 0, 0));
    T(set(null, FS_XFLAG_NODUMP, 0, 0, 0));
    int reading = open("file", O_RDONLY), path = open("file", O_PATH);
    T(set(reading, FS_XFLAG_NODUMP, 0, 0, 0));
    shown("file", reading);
    shown("path", path);
    T(fchown(file, 1000, 1000));
    as(1000, "owner", file);
    as(1001, "other", file);
    return 0;
}
