// diff: libc=glibc
// chmod, fchmod, fchmodat2, umask: every kind of file, who may, what stays.
#include "files.h"

static long f2(int dir, const char *path, int mode, int flags) { return syscall(452, dir, path, mode, flags); }
static void mode(const char *n) { struct stat s; if (lstat(n, &s)) printf("%s %s\n", n, t_name(errno)); else printf("%s %o\n", n, s.st_mode); }

int main(void) {
    f_scratch();
    f_make("f", "x", 0644); mkdir("d", 0755); symlink("f", "l"); symlink("none", "dangling"); mkfifo("p", 0600);
    mknod("s", S_IFSOCK | 0600, 0);
    const char *names[] = {"f", "d", "l", "p", "s", "dangling", "missing", "f/", "d/", "l/", "f/x", "", "."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        printf("%s:", names[i]); printf(" %s", f_word(chmod(names[i], 07777)));
        printf(" %s", f_word(f2(AT_FDCWD, names[i], 0700, AT_SYMLINK_NOFOLLOW)));
        printf(" %s\n", f_word(chmod(names[i], 0107644)));
    }
    chmod(".", 0777); for (int i = 0; i < 5; i++) mode(names[i]);
    T(f2(AT_FDCWD, "f", 0600, 0x1)); T(f2(AT_FDCWD, "", 0600, 0));
    int fd = open("f", O_RDONLY), path = open("f", O_PATH), link_ = open("l", O_PATH | O_NOFOLLOW), pipes[2]; pipe(pipes);
    T(f2(fd, "", 0601, AT_EMPTY_PATH)); mode("f"); T(f2(path, "", 0602, AT_EMPTY_PATH)); mode("f");
    T(f2(link_, "", 0600, AT_EMPTY_PATH)); T(f2(-1, "f", 0600, 0)); T(f2(fd, "f", 0600, 0)); T(f2(AT_FDCWD, BAD, 0600, 0));
    T(fchmod(fd, 04711)); mode("f"); T(fchmod(path, 0600)); T(fchmod(-1, 0600)); T(fchmod(pipes[0], 0640)); struct stat s;
    fstat(pipes[1], &s); printf("%o\n", s.st_mode); T(fchmod(0, 0600) == 0 || errno != 0); T(chmod(BAD, 0));
    T(fchmodat(AT_FDCWD, "f", 0644, 0));
    chown("f", 1000, 2000);
    AS(1000, 1000) {
        T(chmod("f", 02755)); mode("f"); T(chmod("f", 06755)); mode("f"); T(chmod("d", 0700)); T(fchmod(fd, 0600));
        mkdir("own", 02777); mode("own"); T(chmod("own", 03777)); mode("own"); T(chmod("/etc/passwd", 0644));
    }
    AS(1000, 2000) { T(chmod("f", 02755)); mode("f"); T(chmod("f", 02711)); mode("f"); }
    AS(0, 0) {
        f_capabilities(~0ull & ~CAP(CAP_FSETID)); T(chmod("f", 02755)); mode("f"); f_capabilities(~0ull & ~CAP(CAP_FOWNER));
        T(chmod("f", 0644));
    }
    N(umask(01777)); N(umask(0777)); N(umask(027)); close(open("u1", O_CREAT | O_RDWR, 07777)); mkdir("u2", 07777);
    mkfifo("u3", 0777); mknod("u4", S_IFREG | 07777, 0); symlink("x", "u5"); mode("u1"); mode("u2"); mode("u3"); mode("u4");
    mode("u5"); umask(0); close(open("u6", O_CREAT | O_RDWR, 0107777)); mode("u6"); close(creat("u7", 06644)); mode("u7");
    fd = open("u8", O_CREAT | O_RDWR, 0); T(write(fd, "open to its maker", 17)); mode("u8");
    AS(1000, 1000) {
        int x = open("u9", O_CREAT | O_WRONLY, 0444); T(write(x, "x", 1)); T(open("u9", O_WRONLY)); T(open("u9", O_RDONLY) > 0);
        T(open("u9", O_CREAT | O_WRONLY, 0666)); T(open("u9", O_RDONLY | O_TRUNC));
    }
    // times: ctime changes, mtime does not
    struct stat before, after; stat("u1", &before); t_sleep_ms(20); chmod("u1", 0600); stat("u1", &after);
    C(after.st_ctim.tv_nsec != before.st_ctim.tv_nsec); C(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    return 0;
}
