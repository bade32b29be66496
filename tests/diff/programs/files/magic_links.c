// diff: libc=glibc
// /proc/self/fd, cwd, root, exe: what the links show, and what following them does.
#include "files.h"
#include <sys/socket.h>
#include <sys/eventfd.h>

static void show(int fd) { char link_[64], b[256]; sprintf(link_, "/proc/self/fd/%d", fd); long n = readlink(link_, b, 255); b[n > 0 ? n : 0] = 0; char *colon = strchr(b, ':'), *w = strstr(b, "/w/"); if (b[0] == '/' && w) printf("%s\n", w); else printf("%.*s%s\n", colon ? (int)(colon - b) : 255, b, colon && b[0] != '/' ? ":" : ""); }

int main(void) {
    f_scratch();
    char proc[64], b[256]; struct stat s, t;
    int fd = t_file("f", "content"), d = (mkdir("d", 0755), open("d", O_RDONLY)), pipes[2], sv[2], ev = eventfd(0, 0), path = open("f", O_PATH);
    pipe(pipes); socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    show(fd); show(d); show(pipes[0]); show(sv[0]); show(ev); show(path); rename("f", "g"); show(fd); unlink("g"); show(fd);
    int dev = open("/dev/null", O_RDONLY); show(dev);
    sprintf(proc, "/proc/self/fd/%d", fd); lstat(proc, &s); printf("%o %lld\n", s.st_mode, (long long)s.st_size);
    stat(proc, &s); fstat(fd, &t); C(s.st_ino == t.st_ino); int again = open(proc, O_RDONLY); T(read(again, b, 7));
    T(lseek(fd, 0, SEEK_CUR)); sprintf(proc, "/proc/self/fd/%d", again); T(open(proc, O_RDWR) >= 0 ? 0 : -1); lstat(proc, &s);
    printf("%o\n", s.st_mode); sprintf(proc, "/proc/self/fd/%d", pipes[1]); lstat(proc, &s); printf("%o\n", s.st_mode);
    int w2 = open(proc, O_RDONLY | O_NONBLOCK); write(pipes[1], "through", 7); T(read(w2, b, 10));
    sprintf(proc, "/proc/self/fd/%d", sv[0]); T(open(proc, O_RDWR)); sprintf(proc, "/proc/self/fd/%d", ev);
    T(open(proc, O_RDWR));
    sprintf(proc, "/proc/self/fd/%d/x", d); T(close(open(proc, O_CREAT | O_RDWR, 0644))); T(access("d/x", F_OK));
    T(access("/proc/self/cwd/d/x", F_OK)); T(access("/proc/self/root/proc/self/cwd/d", F_OK));
    T(open("/proc/self/fd/9999", O_RDONLY)); T(open("/proc/self/fd/x", O_RDONLY)); T(open("/proc/self/fd/01", O_RDONLY));
    T(open("/proc/self/fd/-1", O_RDONLY)); T(readlink("/proc/self/fd/9999", b, 10)); T(unlink("/proc/self/fd/0"));
    T(mkdir("/proc/self/x", 0755)); T(open("/proc/self/x", O_CREAT | O_RDWR, 0644)); T(symlink("x", "/proc/x"));
    T(rename("/proc/version", "/proc/v")); T(chmod("/proc/self/fd", 0)); T(rmdir("/proc/self/fd"));
    T(open("/proc/self/status", O_WRONLY)); T(open("/proc/self/exe", O_WRONLY)); T(readlink("/proc/self", b, 255) > 0);
    T(truncate("/proc/self/status", 0)); T(link("/proc/self/exe", "/proc/exe")); T(readlink("/proc/self/fd", b, 255));
    T(open("/proc/self/fd", O_RDONLY | O_NOFOLLOW) > 0 ? 0 : -1); T(open("/proc/self", O_RDONLY | O_NOFOLLOW));
    T(open("/proc/self/fd/0", O_RDONLY | O_NOFOLLOW)); T(open("/dev/fd/9999", O_RDONLY));
    T(openat(d, "/proc/self/cwd", O_RDONLY | O_DIRECTORY) > 0 ? 0 : -1);
    N(syscall(SYS_close_range, 3, ~0u, 0)); chdir("d"); rmdir("../d"); unlink("x"); rmdir("../d");
    long n = readlink("/proc/self/cwd", b, 255); b[n] = 0; puts(strrchr(b, '/'));
    T(open("/proc/self/cwd", O_RDONLY | O_DIRECTORY) > 0 ? 0 : -1); T(open("/proc/self/cwd/x", O_CREAT | O_RDWR, 0600));
    return 0;
}
