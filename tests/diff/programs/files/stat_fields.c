// diff: libc=glibc
// stat, statx, statfs: masks, flags, fields, errors.
#include "files.h"
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#define statx_ linux_statx
static long sx(int dir, const char *path, int flags, unsigned mask, struct statx *x) { memset(x, 0x5a, sizeof *x); return syscall(SYS_statx, dir, path, flags, mask, x); }

int main(void) {
    f_scratch();
    struct statx x; struct stat s; struct statfs f;
    f_make("f", "hello", 0640); symlink("f", "l"); mkdir("d", 0755); mkfifo("p", 0600); mknod("c", S_IFCHR | 0600, 0x0107);
    chown("f", 5, 6); int fd = open("f", O_RDONLY), path = open("f", O_PATH), link_ = open("l", O_PATH | O_NOFOLLOW);
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"f", "d", "l"}; T(sx(AT_FDCWD, names[i], AT_SYMLINK_NOFOLLOW, STATX_ALL, &x));
        printf("  mask %#x blksize %u nlink %u ids %u:%u mode %o size %llu attributes %#llx rdev %u:%u\n", x.stx_mask & STATX_ALL, x.stx_blksize, x.stx_nlink, x.stx_uid, x.stx_gid, x.stx_mode, i == 1 ? 0 : (unsigned long long)x.stx_size, (unsigned long long)(x.stx_attributes & x.stx_attributes_mask & 0x874), x.stx_rdev_major, x.stx_rdev_minor);
        lstat(names[i], &s); C(s.st_ino == x.stx_ino);
        C(s.st_mtim.tv_sec == x.stx_mtime.tv_sec && s.st_mtim.tv_nsec == x.stx_mtime.tv_nsec);
        C(x.stx_btime.tv_sec <= x.stx_mtime.tv_sec && x.stx_btime.tv_sec > 0); C((s.st_dev >> 8 & 0xfff) == x.stx_dev_major);
    }
    T(sx(AT_FDCWD, "c", 0, STATX_BASIC_STATS, &x)); printf("%u:%u\n", x.stx_rdev_major, x.stx_rdev_minor);
    T(sx(AT_FDCWD, "f", 0, 0, &x)); C((x.stx_mask & STATX_TYPE) != 0); T(sx(AT_FDCWD, "f", 0, STATX__RESERVED, &x));
    T(sx(AT_FDCWD, "f", 0x8000000, STATX_ALL, &x)); T(sx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_ALL, &x));
    T(sx(AT_FDCWD, "f", AT_STATX_DONT_SYNC, STATX_ALL, &x)); T(sx(AT_FDCWD, "f", AT_STATX_SYNC_TYPE, STATX_ALL, &x));
    T(sx(fd, "", AT_EMPTY_PATH, STATX_ALL, &x)); T(sx(fd, "", 0, STATX_ALL, &x)); T(sx(fd, NULL, AT_EMPTY_PATH, STATX_ALL, &x));
    T(sx(fd, NULL, 0, STATX_ALL, &x)); T(sx(path, "", AT_EMPTY_PATH, STATX_ALL, &x));
    T(sx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_ALL, &x)); C(S_ISDIR(x.stx_mode)); T(sx(-1, "", AT_EMPTY_PATH, STATX_ALL, &x));
    T(sx(fd, "f", 0, STATX_ALL, &x)); T(sx(AT_FDCWD, "missing", 0, STATX__RESERVED, &x));
    T(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_ALL, BAD)); T(syscall(SYS_statx, AT_FDCWD, BAD, 0, STATX_ALL, &x));
    T(sx(link_, "", AT_EMPTY_PATH, STATX_ALL, &x)); C(S_ISLNK(x.stx_mode)); C(x.stx_blocks > 0 || x.stx_size == 1);
    T(sx(AT_FDCWD, "f", AT_NO_AUTOMOUNT, STATX_MODE, &x)); C((x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0);
    sx(AT_FDCWD, "/proc", 0, STATX_ALL, &x); C((x.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    T(fstatat(fd, "", &s, AT_EMPTY_PATH)); T(fstatat(fd, "", &s, 0)); T(fstatat(-1, "f", &s, 0));
    T(fstatat(AT_FDCWD, "f", &s, 0x10)); T(fstatat(fd, "x", &s, 0)); T(fstat(-1, &s)); T(syscall(SYS_fstat, fd, BAD));
    T(syscall(SYS_newfstatat, AT_FDCWD, "missing", BAD, 0)); T(syscall(SYS_newfstatat, fd, NULL, &s, AT_EMPTY_PATH));
    T(syscall(SYS_newfstatat, AT_FDCWD, NULL, &s, AT_EMPTY_PATH)); T(syscall(SYS_newfstatat, AT_FDCWD, NULL, &s, 0));
    T(fstat(path, &s)); N(s.st_uid); T(stat("d/", &s)); T(lstat("l", &s)); N(s.st_size); printf("%o\n", s.st_mode);
    T(stat("l", &s)); N(s.st_size); N(s.st_blksize); N(s.st_blocks);
    T(statfs(".", &f)); C(f.f_bsize == 4096); C(f.f_frsize == 4096); C(f.f_namelen == 255);
    C(f.f_blocks >= f.f_bfree && f.f_bfree >= f.f_bavail); C(f.f_files >= f.f_ffree); T(fstatfs(fd, &f)); T(fstatfs(path, &f));
    T(fstatfs(-1, &f)); T(statfs("missing", &f)); T(statfs("f/x", &f)); T(statfs("", &f)); T(statfs(BAD, &f));
    T(statfs(".", BAD)); T(fstatfs(fd, BAD)); T(statfs("/proc", &f)); printf("%#lx\n", (long)f.f_type); int pipes[2];
    pipe(pipes); T(fstatfs(pipes[0], &f)); printf("%#lx\n", (long)f.f_type); struct statvfs v; T(statvfs(".", &v));
    C((v.f_flag & ST_RDONLY) == 0);
    fstat(pipes[0], &s); printf("%o %lld %d\n", s.st_mode, (long long)s.st_size, (int)s.st_nlink); long before = s.st_ino;
    fstat(pipes[1], &s); C(s.st_ino == before);
    // blocks that are there, and those that are not
    int h = open("holes", O_CREAT | O_RDWR, 0644); ftruncate(h, 1 << 20); fstat(h, &s); N(s.st_blocks);
    pwrite(h, "x", 1, 500000); fstat(h, &s); N(s.st_blocks); fallocate(h, 0, 0, 65536); fstat(h, &s); N(s.st_blocks);
    return 0;
}
