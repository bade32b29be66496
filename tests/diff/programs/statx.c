// statx: masks, flags, and the same facts that stat shows.
#include "t.h"

struct sx { // the kernel's layout, as musl's headers may lack it
    uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, pad; uint64_t ino, size, blocks, attributes_mask;
    struct { int64_t sec; uint32_t nsec; int32_t pad; } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor; uint64_t spare[14];
};

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    symlink("file", "link");
    struct sx x;
    struct stat st;
    memset(&x, 0xff, sizeof x);
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, 0x7ff, &x));
    C((x.mask & 0x7ff) == 0x7ff);
    N(x.size); N(x.mode); N(x.nlink); N(x.uid); N(x.gid);
    stat("file", &st);
    C(x.ino == st.st_ino && x.blocks == (uint64_t)st.st_blocks && x.blksize == (uint32_t)st.st_blksize);
    C(x.mtime.sec == st.st_mtim.tv_sec && x.mtime.nsec == st.st_mtim.tv_nsec);
    C(x.ctime.sec == st.st_ctim.tv_sec && x.atime.sec == st.st_atim.tv_sec);
    C(((uint64_t)x.dev_major << 8 | x.dev_minor) == st.st_dev);
    T(syscall(SYS_statx, AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, 0x7ff, &x));
    N(x.mode & S_IFMT); N(x.size);
    T(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x200, &x));
    N(x.size);
    T(syscall(SYS_statx, AT_FDCWD, "/dev/zero", 0, 0x7ff, &x));
    N(x.rdev_major); N(x.rdev_minor);
    T(syscall(SYS_statx, AT_FDCWD, "missing", 0, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, "file/x", 0, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, "", 0, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, "file", 0x80000, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, 0x80000000u, &x)); // STATX__RESERVED
    T(syscall(SYS_statx, AT_FDCWD, "file", 0x6000, 0x7ff, &x));  // both sync types
    T(syscall(SYS_statx, AT_FDCWD, "file", 0x2000, 0, &x));
    T(syscall(SYS_statx, -1, "file", 0, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, BAD, 0, 0x7ff, &x));
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, 0x7ff, BAD));
    return 0;
}
