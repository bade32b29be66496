// access, faccessat, faccessat2 as root.
#include "t.h"
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    T(chmod("file", 0));
    symlink("gone", "dangling");
    mkdir("dir", 0);
    T(access("file", F_OK));
    T(access("file", R_OK | W_OK)); // root reads and writes anything,
    T(access("file", X_OK));        // but executes only what someone may
    T(chmod("file", 0100));
    T(access("file", R_OK | W_OK | X_OK));
    T(access("dir", R_OK | W_OK | X_OK));
    T(access("missing", F_OK));
    T(access("file/x", F_OK));
    T(access("dangling", F_OK));
    T(access("file", 8));
    T(access(BAD, F_OK));
    T(access("", F_OK));
    T(syscall(SYS_faccessat, -1, "file", F_OK));
    T(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
    T(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS));
    T(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
    T(syscall(SYS_faccessat2, fd, "", R_OK, 0));
    T(syscall(SYS_faccessat2, AT_FDCWD, "file", F_OK, 0x8000));
    T(syscall(SYS_faccessat2, AT_FDCWD, "file", 8, 0));
    T(syscall(SYS_faccessat2, -1, "/dev/null", R_OK | W_OK, 0));
    return 0;
}
