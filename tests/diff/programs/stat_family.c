// stat, lstat, fstat, fstatat: what they show of each kind of file, and their errors.
#include "t.h"

static void show(const char *what, const struct stat *st) {
    printf("%s: type %o mode %o size %ld nlink %s uid %d gid %d\n", what, st->st_mode & S_IFMT, st->st_mode & 07777,
           S_ISDIR(st->st_mode) ? 0L : (long)st->st_size, S_ISDIR(st->st_mode) ? "-" : st->st_nlink == 1 ? "1" : "more",
           st->st_uid, st->st_gid);
}

int main(void) {
    t_scratch();
    struct stat st, other;
    int fd = t_file("file", "hello");
    mkdir("dir", 0750);
    symlink("file", "link");
    symlink("none", "dangling");
    mkfifo("fifo", 0600);
    T(stat("file", &st)); show("file", &st);
    T(stat("link", &st)); show("through link", &st);
    T(lstat("link", &st)); show("link", &st);
    T(stat("dir", &st)); show("dir", &st);
    T(stat("fifo", &st)); show("fifo", &st);
    T(stat("/dev/null", &st));
    C(S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
    T(fstat(fd, &st)); show("open file", &st);
    T(stat("file", &other));
    C(st.st_ino == other.st_ino && st.st_dev == other.st_dev);
    N(st.st_blocks);
    N(st.st_blksize);
    C(st.st_mtime > 1700000000);
    T(stat("dangling", &st));
    T(lstat("dangling", &st)); show("dangling", &st);
    T(stat("missing", &st));
    T(stat("file/x", &st));
    T(stat("", &st));
    T(syscall(SYS_stat, "file", BAD));
    T(syscall(SYS_stat, BAD, &st));
    T(fstat(-1, &st));
    T(fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW)); show("nofollow", &st);
    T(fstatat(fd, "", &st, AT_EMPTY_PATH)); show("empty path", &st);
    T(fstatat(fd, "", &st, 0));
    T(fstatat(fd, "x", &st, 0));
    T(fstatat(-1, "file", &st, 0));
    T(fstatat(AT_FDCWD, "file", &st, 0x80000));
    int p[2];
    pipe(p);
    T(fstat(p[0], &st));
    C(S_ISFIFO(st.st_mode));
    char name[300];
    memset(name, 'n', 256);
    name[256] = 0;
    T(stat(name, &st));
    name[255] = 0;
    T(stat(name, &st));
    return 0;
}
