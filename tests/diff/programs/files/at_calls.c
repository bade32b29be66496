// diff: libc=glibc
// The calls with a directory's descriptor: which of its values matter, and the order of checks.
#include "files.h"

int main(void) {
    f_scratch();
    struct stat s; char b[64];
    mkdir("d", 0755); f_make("d/f", "x", 0644); f_make("file", "x", 0644);
    int d = open("d", O_RDONLY), p = open("d", O_PATH), f = open("file", O_RDONLY), pipes[2]; pipe(pipes);
    const int dirs[] = {d, p, f, -1, 9999, pipes[0]};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        int x = dirs[i];
        printf("%zu: open %s absolute %s empty %s bad %s |", i, f_word(openat(x, "f", O_RDONLY)), f_word(openat(x, "/dev/null", O_RDONLY)), f_word(openat(x, "", O_RDONLY)), f_word(openat(x, BAD, O_RDONLY)));
        printf(" stat %s empty %s", f_word(fstatat(x, "f", &s, 0)), f_word(fstatat(x, "", &s, AT_EMPTY_PATH)));
        printf(" access %s", f_word(faccessat(x, "f", R_OK, 0)));
        printf(" chmod %s chown %s", f_word(fchmodat(x, "f", 0644, 0)), f_word(fchownat(x, "f", 0, 0, 0)));
        printf(" chown empty %s", f_word(fchownat(x, "", 0, 0, AT_EMPTY_PATH)));
        printf(" mkdir %s", f_word(mkdirat(x, "sub", 0755)));
        printf(" mknod %s", f_word(mknodat(x, "node", S_IFIFO | 0600, 0)));
        printf(" symlink %s", f_word(symlinkat("t", x, "sym"))); printf(" readlink %s", f_word(readlinkat(x, "sym", b, 64)));
        printf(" link %s %s", f_word(linkat(x, "f", AT_FDCWD, "hard", 0)), f_word(linkat(AT_FDCWD, "file", x, "hard2", 0)));
        printf(" rename %s %s", f_word(renameat(x, "node", AT_FDCWD, "node2")), f_word(renameat(AT_FDCWD, "node2", x, "node")));
        printf(" times %s %s", f_word(utimensat(x, "f", NULL, 0)), f_word(syscall(SYS_utimensat, x, NULL, NULL, 0)));
        printf(" unlink %s %s %s\n", f_word(unlinkat(x, "sub", AT_REMOVEDIR)), f_word(unlinkat(x, "node", 0)), f_word(unlinkat(x, "sym", 0)));
        unlinkat(x, "hard2", 0); unlink("hard");
    }
    // times
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}}, omit[2] = {{9, UTIME_OMIT}, {9, UTIME_OMIT}}, now[2] = {{-1, UTIME_NOW}, {5, UTIME_OMIT}}, negative[2] = {{-5, 500}, {-1, 999999999}};
    T(utimensat(AT_FDCWD, "file", bad, 0)); T(utimensat(AT_FDCWD, "missing", bad, 0));
    T(utimensat(AT_FDCWD, "missing", omit, 0)); T(utimensat(-1, "missing", omit, 0x777));
    T(utimensat(AT_FDCWD, "file", now, 0)); T(utimensat(AT_FDCWD, "file", NULL, 0x1)); T(utimensat(AT_FDCWD, "file", BAD, 0));
    T(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0)); T(syscall(SYS_utimensat, f, NULL, NULL, AT_SYMLINK_NOFOLLOW));
    T(utimensat(f, "", NULL, AT_EMPTY_PATH)); T(utimensat(f, "", NULL, 0)); T(utimensat(p, "", NULL, AT_EMPTY_PATH));
    T(syscall(SYS_utimensat, p, NULL, NULL, 0)); T(futimens(f, bad)); T(futimens(-1, bad)); T(futimens(f, negative));
    fstat(f, &s);
    printf("%lld.%ld %lld.%ld\n", (long long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    struct timeval tv[2] = {{0, 1000000}, {0, 0}}, negative_tv[2] = {{0, -1}, {0, 0}};
    T(syscall(SYS_futimesat, AT_FDCWD, "missing", tv)); T(syscall(SYS_futimesat, AT_FDCWD, "missing", NULL));
    T(syscall(SYS_futimesat, f, NULL, negative_tv)); T(syscall(SYS_futimesat, f, NULL, NULL));
    T(syscall(SYS_utimes, "file", tv)); T(syscall(SYS_utimes, "file", BAD)); T(syscall(SYS_utime, "file", BAD));
    T(syscall(SYS_utime, "missing", NULL)); long t2[2] = {100, 200}; T(syscall(SYS_utime, "file", t2)); fstat(f, &s);
    N(s.st_atim.tv_sec); N(s.st_mtim.tv_sec);
    AS(1000, 1000) {
        T(utimensat(AT_FDCWD, "file", NULL, 0)); T(utimensat(AT_FDCWD, "file", negative, 0));
        T(utimensat(AT_FDCWD, "file", omit, 0)); T(utimensat(AT_FDCWD, "file", now, 0));
        struct timespec both[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}; T(utimensat(AT_FDCWD, "file", both, 0));
        T(futimens(f, NULL));
    }
    chmod("file", 0666);
    AS(1000, 1000) {
        T(utimensat(AT_FDCWD, "file", NULL, 0)); T(utimensat(AT_FDCWD, "file", negative, 0));
        T(utimensat(AT_FDCWD, "file", now, 0)); struct timespec both[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
        T(utimensat(AT_FDCWD, "file", both, 0));
    }
    return 0;
}
