// diff: libc=glibc
// Calls that change less than they seem to: the same value of an attribute, a mapping that is only made, a write of nothing.
#include "files.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int differs(struct timespec a, struct timespec b) { return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec; }

static void changed(const char *what, struct stat *before) {
    struct stat now;
    stat("file", &now);
    printf("%s:%s%s%s\n", what, differs(now.st_atim, before->st_atim) ? " atime" : "", differs(now.st_mtim, before->st_mtim) ? " mtime" : "",
           differs(now.st_ctim, before->st_ctim) ? " ctime" : "");
    *before = now;
    usleep(12000);
}

int main(void) {
    f_scratch();
    struct stat s;
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    char *page = aligned_alloc(4096, 4096);
    memset(page, 'a', 4096);
    T(write(fd, page, 4096));
    stat("file", &s);
    usleep(12000);
    T(setxattr("file", "user.a", "1", 1, 0));
    changed("setxattr", &s);
    T(setxattr("file", "user.a", "1", 1, 0));
    changed("the same value", &s);
    T(setxattr("file", "user.a", "1", 1, XATTR_REPLACE));
    changed("the same value in its place", &s);
    T(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
    changed("the same value as a new one", &s);
    T(setxattr("file", "user.a", "2", 1, 0));
    changed("another value", &s);
    int reading = open("file", O_RDONLY);
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reading, 0);
    changed("mmap", &s);
    T(munmap(map, 4096));
    T(munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4096));
    changed("mmap again", &s);
    T(write(fd, page, 0));
    changed("a write of nothing", &s);
    int direct = open("file", O_RDWR | O_DIRECT);
    T(pwrite(direct, page, 0, 100));
    T(pread(direct, page, 0, 100));
    changed("nothing past the cache", &s);
    T(fcntl(fd, F_SETFL, O_NOATIME));
    T(pwrite(fd, page, 1, 0));
    stat("file", &s);
    usleep(12000);
    T(munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), 4096));
    changed("mmap with O_NOATIME", &s);

    struct statx x;
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS | 0x4000, &x));
    printf("of all: %#llx, id %s\n", (unsigned long long)x.stx_attributes_mask & 0x203000, x.stx_mask & 0x4000 ? "unique" : "short");
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x));
    printf("id %s, alignment %s\n", x.stx_mask & 0x1000 ? "short" : "unique", x.stx_mask & 0x2000 ? "told" : "not told");
    T(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS | 0x2000, &x));
    printf("alignment %s\n", x.stx_mask & 0x2000 ? "told" : "not told");
    unsigned generation = 0;
    long got = ioctl(fd, FS_IOC_GETVERSION, &generation);
    printf("FS_IOC_GETVERSION: %s\n", got < 0 ? t_name(errno) : "told");
    return 0;
}
