// openat2: resolution limits and a strict argument.
#include "t.h"
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
struct how { uint64_t flags, mode, resolve; };
static long try(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct how how = {flags, mode, resolve};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0) close(fd);
    return fd;
}
enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16 };

int main(void) {
    t_scratch();
    mkdir("d", 0755);
    close(t_file("d/file", "x"));
    close(t_file("outside", "x"));
    symlink("file", "d/link");
    symlink("../outside", "d/up");
    symlink("/file", "d/absolute");
    int d = open("d", O_RDONLY | O_DIRECTORY);
    T(try(d, "file", O_RDONLY, 0, 0));
    T(try(d, "new", O_RDWR | O_CREAT, 0600, 0));
    T(try(d, "file", O_RDONLY, 0600, 0)); // a mode without O_CREAT
    T(try(d, "file", O_RDONLY, 0, 0x1000));
    T(try(d, "file", 1ull << 40, 0, 0));
    T(try(d, "new2", O_RDWR | O_CREAT, 010000, 0));
    T(try(d, "link", O_RDONLY, 0, NO_SYMLINKS));
    T(try(d, "file", O_RDONLY, 0, NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV));
    T(try(d, "../outside", O_RDONLY, 0, BENEATH));
    T(try(d, "up", O_RDONLY, 0, BENEATH));
    T(try(d, "absolute", O_RDONLY, 0, BENEATH));
    T(try(d, "link", O_RDONLY, 0, BENEATH));
    T(try(d, "../file", O_RDONLY, 0, IN_ROOT));
    T(try(d, "absolute", O_RDONLY, 0, IN_ROOT));
    T(try(d, "up", O_RDONLY, 0, IN_ROOT));
    T(try(d, "file", O_RDONLY, 0, BENEATH | IN_ROOT));
    struct how how = {0, 0, 0};
    T(syscall(SYS_openat2, d, "file", &how, 8L));
    T(syscall(SYS_openat2, d, "file", BAD, sizeof how));
    return 0;
}
