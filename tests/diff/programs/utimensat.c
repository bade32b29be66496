// utimensat, futimens, utimes.
#include "t.h"

static void times(const char *name) {
    struct stat st;
    lstat(name, &st);
    printf("  %s: %ld.%09ld %ld.%09ld\n", name, st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

int main(void) {
    t_scratch();
    int fd = t_file("f", "x");
    symlink("f", "l");
    struct timespec t[2] = {{1000000000, 5}, {1100000000, 999999999}};
    T(utimensat(AT_FDCWD, "f", t, 0)); times("f");
    t[0].tv_nsec = UTIME_OMIT, t[1].tv_sec = 7;
    T(utimensat(AT_FDCWD, "f", t, 0)); times("f");
    t[0] = (struct timespec){3, 3}, t[1] = (struct timespec){4, 4};
    T(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW)); times("l"); times("f");
    T(futimens(fd, t)); times("f");
    t[0].tv_nsec = 1000000000;
    T(futimens(fd, t));
    t[0].tv_nsec = -1;
    T(futimens(fd, t));
    t[0].tv_nsec = UTIME_NOW, t[1].tv_nsec = UTIME_OMIT;
    T(futimens(fd, t));
    struct stat st;
    fstat(fd, &st);
    C(st.st_atim.tv_sec > 1700000000);
    C(st.st_mtim.tv_sec == 4);
    t[0].tv_nsec = UTIME_OMIT;
    T(utimensat(AT_FDCWD, "missing", t, 0));
    t[0].tv_nsec = 0;
    T(utimensat(AT_FDCWD, "missing", t, 0));
    T(utimensat(-1, "f", t, 0));
    T(syscall(SYS_utimensat, fd, NULL, t, 0));
    T(syscall(SYS_utimensat, AT_FDCWD, NULL, t, 0));
    T(utimensat(AT_FDCWD, "f", t, 0x8000));
    T(syscall(SYS_utimensat, AT_FDCWD, "f", BAD, 0));
    struct timeval v[2] = {{100, 5}, {200, 6}};
    T(utimes("f", v)); times("f");
    T(futimens(fd, NULL));
    fstat(fd, &st);
    C(st.st_mtim.tv_sec > 1700000000);
    struct stat before = st;
    t_sleep_ms(30);
    write(fd, "y", 1);
    fstat(fd, &st);
    C(st.st_mtim.tv_sec > before.st_mtim.tv_sec || st.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
    t_sleep_ms(30);
    before = st;
    chmod("f", 0600);
    fstat(fd, &st);
    C(st.st_mtim.tv_nsec == before.st_mtim.tv_nsec && st.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
    return 0;
}
