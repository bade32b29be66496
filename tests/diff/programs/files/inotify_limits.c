// diff: libc=glibc
// inotify: masks, one-shot watches, adding to masks, removal, the queue's limit, errors in Linux's order.
#include "files.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <poll.h>

static int ino;
static int drain(int show) {
    char buffer[65536] __attribute__((aligned(8))); long n; int count = 0, overflows = 0;
    while ((n = read(ino, buffer, sizeof buffer)) > 0) for (long at = 0; at < n;) {
        struct inotify_event *e = (void *)(buffer + at); at += sizeof *e + e->len; count++;
        overflows += (e->mask & IN_Q_OVERFLOW) != 0;
        if (show) printf("  wd %d mask %#x cookie %d name %s len %u\n", e->wd, e->mask, e->cookie != 0, e->len ? e->name : "", e->len);
    }
    if (overflows) printf("  overflows %d\n", overflows);
    return count;
}
#define I(call) (T(call), drain(1))

int main(void) {
    f_scratch();
    char b[4096];
    T(inotify_init1(1)); T(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); ino = 3; N(fcntl(ino, F_GETFD));
    printf("%#x\n", fcntl(ino, F_GETFL)); mkdir("d", 0755); f_make("f", "x", 0644); symlink("d", "l");
    symlink("none", "dangling");
    T(inotify_add_watch(ino, "d", 0)); T(inotify_add_watch(-1, "d", 0)); T(inotify_add_watch(0, "d", IN_OPEN));
    T(inotify_add_watch(1, "missing", IN_OPEN)); T(inotify_add_watch(ino, "missing", IN_OPEN));
    T(inotify_add_watch(ino, "", IN_OPEN)); T(inotify_add_watch(ino, BAD, IN_OPEN));
    T(inotify_add_watch(ino, "f", IN_OPEN | IN_ONLYDIR)); T(inotify_add_watch(ino, "dangling", IN_OPEN));
    T(inotify_add_watch(ino, "d", 0x00100000)); T(inotify_add_watch(ino, "d", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
    T(inotify_add_watch(ino, "d", IN_ONLYDIR)); T(inotify_add_watch(ino, "d", IN_ISDIR)); T(inotify_rm_watch(ino, 1)); drain(1);
    T(inotify_rm_watch(ino, 1)); T(inotify_rm_watch(ino, 99)); T(inotify_rm_watch(-1, 1)); T(inotify_rm_watch(0, 1));
    int wd = T(inotify_add_watch(ino, "d", IN_CREATE)); T(inotify_add_watch(ino, "l", IN_DELETE));
    I(close(open("d/a", O_CREAT, 0644))); I(unlink("d/a")); T(inotify_add_watch(ino, "d", IN_CREATE | IN_MASK_ADD));
    I(close(open("d/a", O_CREAT, 0644))); T(inotify_add_watch(ino, "d", IN_CREATE | IN_MASK_CREATE));
    int link_ = T(inotify_add_watch(ino, "l", IN_DONT_FOLLOW | IN_ALL_EVENTS)); I(unlink("l")); T(inotify_rm_watch(ino, link_));
    T(inotify_add_watch(ino, "d/a", IN_ATTRIB | IN_ONESHOT)); I(chmod("d/a", 0600)); I(chmod("d/a", 0644));
    T(inotify_add_watch(ino, "d/a", IN_MASK_CREATE | IN_OPEN)); T(inotify_add_watch(ino, "d/a", IN_MASK_CREATE | IN_OPEN));
    I(rename("d/a", "d/b")); I(rename("d/b", "moved")); I(link("moved", "d/c")); I(unlink("moved")); I(unlink("d/c"));
    I(rmdir("d")); T(inotify_rm_watch(ino, wd));
    // reading
    mkdir("d", 0755); wd = T(inotify_add_watch(ino, "d", IN_CREATE)); T(read(ino, b, 100));
    close(open("d/name", O_CREAT, 0644)); int left = 0; T(ioctl(ino, FIONREAD, &left)); N(left); T(read(ino, b, 0));
    T(read(ino, b, 10)); T(read(ino, b, 31)); T(read(ino, BAD, 32)); T(read(ino, b, 32)); T(write(ino, b, 1));
    T(pread(ino, b, 100, 0)); T(lseek(ino, 0, SEEK_SET)); struct pollfd p = {ino, POLLIN | POLLOUT, 0}; T(poll(&p, 1, 0));
    close(open("d/name2", O_CREAT, 0644)); T(poll(&p, 1, 0)); N(p.revents); drain(1);
    // the same event twice is one; others between them keep it
    T(inotify_add_watch(ino, "d", IN_MODIFY | IN_ATTRIB)); int fd = open("d/name", O_WRONLY);
    for (int i = 0; i < 5; i++) write(fd, "x", 1);
    drain(1); write(fd, "x", 1); fchmod(fd, 0600); write(fd, "x", 1); drain(1); close(fd);
    // the queue's limit
    T(inotify_add_watch(ino, "d", IN_CREATE | IN_DELETE));
    for (int i = 0; i < 9000; i++) { close(open("d/many", O_CREAT, 0644)); unlink("d/many"); } N(drain(0));
    close(open("d/many", O_CREAT, 0644)); N(drain(0));
    AS(1000, 1000) {
        mkdir("closed", 0700); chmod("closed", 0300); T(inotify_add_watch(ino, "closed", IN_OPEN)); chmod("closed", 0400);
        T(inotify_add_watch(ino, "closed", IN_OPEN) > 0); T(inotify_add_watch(ino, "closed/x", IN_OPEN));
    }
    // an unlinked file that is still open
    f_make("g", "x", 0644); T(inotify_add_watch(ino, "g", IN_ALL_EVENTS) > 0); fd = open("g", O_RDWR); drain(0); unlink("g");
    printf("unlinked\n"); char mask[64]; long n = read(ino, mask, 64); N(n);
    if (n > 0) printf("%#x\n", ((struct inotify_event *)mask)->mask);
    drain(0); close(fd); printf("closed\n");
    while ((n = read(ino, mask, 16)) > 0) printf("%#x\n", ((struct inotify_event *)mask)->mask);
    return 0;
}
