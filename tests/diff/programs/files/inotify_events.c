// diff: timeout=30; libc=glibc
// What inotify reports for each call, to the directory's watch and to the file's own.
#include "files.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int ino;
static uint32_t cookies[16];
static int cookie_count;

static const struct { uint32_t bit; const char *name; } bits[] = {
    {IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"}, {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
    {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"}, {IN_MOVED_TO, "MOVED_TO"}, {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"},
    {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"}, {IN_UNMOUNT, "UNMOUNT"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"},
    {IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"},
};

static void drain(const char *what) {
    char buffer[8192] __attribute__((aligned(8)));
    long n;
    printf("%s:", what);
    while ((n = read(ino, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n;) {
            struct inotify_event *e = (void *)(buffer + at);
            at += sizeof *e + e->len;
            printf(" [%d", e->wd);
            for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) if (e->mask & bits[i].bit) printf(" %s", bits[i].name);
            if (e->cookie) {
                int i = 0;
                while (i < cookie_count && cookies[i] != e->cookie) i++;
                if (i == cookie_count && i < 16) cookies[cookie_count++] = e->cookie;
                printf(" cookie%d", i);
            }
            if (e->len) printf(" %s/%u", e->name, e->len);
            printf("]");
        }
    }
    printf("%s\n", n < 0 && errno != EAGAIN ? t_name(errno) : "");
}
#define I(call) ((void)(call), drain(#call))

int main(void) {
    char buffer[64];
    f_scratch();
    ino = inotify_init1(IN_NONBLOCK);
    mkdir("d", 0755); mkdir("e", 0755);
    T(inotify_add_watch(ino, "d", IN_ALL_EVENTS));
    T(inotify_add_watch(ino, "e", IN_ALL_EVENTS));
    int fd;
    I(fd = open("d/f", O_CREAT | O_RDWR, 0644)); I(write(fd, "text", 4)); I(write(fd, "", 0)); I(pread(fd, buffer, 4, 0)); I(pread(fd, buffer, 4, 100));
    I(ftruncate(fd, 2)); I(ftruncate(fd, 2)); I(truncate("d/f", 10)); I(fallocate(fd, 0, 0, 100)); I(fsync(fd)); I(fchmod(fd, 0600)); I(fchown(fd, 0, 0)); I(close(fd));
    I(fd = open("d/f", O_RDONLY)); I(read(fd, buffer, 1)); I(close(fd)); I(close(open("d/f", O_PATH))); I(close(open("d/f", O_WRONLY | O_TRUNC)));
    I(utimensat(AT_FDCWD, "d/f", NULL, 0)); struct timespec a[2] = {{1, 0}, {0, UTIME_OMIT}}, m[2] = {{0, UTIME_OMIT}, {1, 0}}, both[2] = {{1, 0}, {2, 0}};
    I(utimensat(AT_FDCWD, "d/f", a, 0)); I(utimensat(AT_FDCWD, "d/f", m, 0)); I(utimensat(AT_FDCWD, "d/f", both, 0));
    I(setxattr("d/f", "user.a", "1", 1, 0)); I(removexattr("d/f", "user.a")); I(chmod("d", 0700));
    I(link("d/f", "e/g")); I(rename("d/f", "e/f")); I(rename("e/f", "e/g")); I(rename("e/f", "e/h")); I(rename("e/h", "d/f")); I(unlink("e/g"));
    I(mkdir("d/sub", 0755)); I(rename("d/sub", "e/sub")); I(rmdir("e/sub")); I(symlink("x", "d/l")); I(unlink("d/l")); I(mkfifo("d/p", 0644)); I(unlink("d/p"));
    I(fd = open("d", O_RDONLY)); I(syscall(SYS_getdents64, fd, buffer, sizeof buffer)); I(close(fd)); I(stat("d/f", &(struct stat){0})); I(access("d/f", R_OK));
    // the file itself
    T(inotify_add_watch(ino, "d/f", IN_ALL_EVENTS));
    I(fd = open("d/f", O_RDWR)); I(write(fd, "x", 1)); I(link("d/f", "d/f2")); I(unlink("d/f2")); I(rename("d/f", "d/f3")); I(unlink("d/f3")); I(write(fd, "y", 1)); I(close(fd));
    T(inotify_rm_watch(ino, 3)); T(inotify_rm_watch(ino, 77)); drain("after");
    // directories that go
    mkdir("gone", 0755);
    T(inotify_add_watch(ino, "gone", IN_ALL_EVENTS)); I(rename("gone", "gone2")); I(rmdir("gone2"));
    // masks
    T(inotify_rm_watch(ino, 1)); T(inotify_rm_watch(ino, 2)); drain("removed");
    T(inotify_add_watch(ino, "d", 0)); T(inotify_add_watch(ino, "d", IN_ISDIR)); T(inotify_add_watch(ino, "d", IN_UNMOUNT)); T(inotify_add_watch(ino, "d", IN_Q_OVERFLOW));
    T(inotify_add_watch(ino, "d", IN_IGNORED)); T(inotify_add_watch(ino, "d", IN_ONESHOT)); T(inotify_add_watch(ino, "d", IN_ONLYDIR)); T(inotify_add_watch(ino, "d", 0x00100000));
    T(inotify_add_watch(ino, "d", IN_CREATE | IN_ONLYDIR)); T(inotify_add_watch(ino, "d", IN_DELETE | IN_MASK_CREATE)); T(inotify_add_watch(ino, "d", IN_DELETE | IN_MASK_ADD));
    T(inotify_add_watch(ino, "d", IN_DELETE | IN_MASK_ADD | IN_MASK_CREATE)); close(t_file("plain", "")); T(inotify_add_watch(ino, "plain", IN_OPEN | IN_ONLYDIR));
    I(close(open("d/n", O_CREAT | O_RDWR, 0644))); I(unlink("d/n")); T(inotify_add_watch(ino, "d", IN_OPEN)); I(close(open("d/n", O_CREAT | O_RDWR, 0644)));
    T(inotify_add_watch(ino, "d", IN_OPEN | IN_ONESHOT)); I(close(open("d/n", O_RDONLY))); I(close(open("d/n", O_RDONLY)));
    symlink("d", "dl"); T(inotify_add_watch(ino, "dl", IN_OPEN | IN_DONT_FOLLOW)); T(inotify_add_watch(ino, "dl", IN_CREATE)); drain("links");
    // IN_EXCL_UNLINK
    fd = open("d/n", O_RDWR); T(inotify_add_watch(ino, "d", IN_MODIFY | IN_EXCL_UNLINK)); I(write(fd, "1", 1)); unlink("d/n"); I(write(fd, "1", 1)); close(fd);
    fd = open("d/n2", O_RDWR | O_CREAT, 0644); T(inotify_add_watch(ino, "d", IN_MODIFY)); unlink("d/n2"); I(write(fd, "1", 1)); close(fd); drain("end");
    // equal events join; sizes
    fd = open("d/n3", O_RDWR | O_CREAT, 0644); for (int i = 0; i < 5; i++) write(fd, "1", 1);
    int waiting = 0; T(ioctl(ino, FIONREAD, &waiting)); N(waiting); T(read(ino, buffer, 16)); T(read(ino, buffer, 15)); drain("joined");
    T(read(ino, buffer, 64)); T(write(ino, buffer, 1)); T(lseek(ino, 0, SEEK_SET)); T(lseek(ino, 5, SEEK_END));
    T(inotify_init1(1)); T(inotify_add_watch(fd, "d", IN_OPEN)); T(inotify_rm_watch(fd, 1)); T(inotify_add_watch(-1, "d", IN_OPEN)); T(inotify_rm_watch(-1, 1));
    T(inotify_add_watch(ino, "none", IN_OPEN)); T(inotify_add_watch(ino, BAD, IN_OPEN)); T(inotify_add_watch(ino, "", IN_OPEN));
    f_make("secret", "", 0600); AS(NOBODY, NOBODY) { T(inotify_add_watch(ino, "secret", IN_OPEN)); }
    // overflow
    T(inotify_add_watch(ino, "d", IN_OPEN | IN_CLOSE));
    for (int i = 0; i < 9000; i++) close(open("d", O_RDONLY));
    char all[65536]; long n, events = 0, last = 0, lastwd = 0;
    while ((n = read(ino, all, sizeof all)) > 0)
        for (long at = 0; at < n; events++) { struct inotify_event *e = (void *)(all + at); at += sizeof *e + e->len; last = e->mask; lastwd = e->wd; }
    N(events); N(last); N(lastwd);
    return 0;
}
