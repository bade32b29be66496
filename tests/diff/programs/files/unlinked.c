// diff: libc=glibc
// Files and directories whose names are gone, and names that move while they are used.
#include "files.h"
#include <dirent.h>

int main(void) {
    f_scratch();
    char b[256], proc[64]; struct stat s; long n;
    int fd = t_file("f", "content"); T(unlink("f")); fstat(fd, &s); N(s.st_nlink); N(s.st_size); T(pread(fd, b, 10, 0));
    T(pwrite(fd, "more", 4, 7)); T(ftruncate(fd, 5)); T(fchmod(fd, 0600)); T(fchown(fd, 1, 1)); T(futimens(fd, NULL));
    sprintf(proc, "/proc/self/fd/%d", fd); n = readlink(proc, b, 255); b[n > 0 ? n : 0] = 0; puts(strrchr(b, '/'));
    int again = T(open(proc, O_RDWR) >= 0 ? 0 : -1); (void)again;
    T(linkat(AT_FDCWD, proc, AT_FDCWD, "back", AT_SYMLINK_FOLLOW)); T(linkat(fd, "", AT_FDCWD, "back", AT_EMPTY_PATH));
    T(stat(proc, &s)); N(s.st_nlink); T(fallocate(fd, 0, 0, 100));
    void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); ((char *)map)[1] = 'X'; T(pread(fd, b, 5, 0));
    printf("%.5s\n", b); close(fd); printf("%.5s\n", (char *)map); munmap(map, PAGE);
    // a directory that is gone
    mkdir("d", 0755); int d = open("d", O_RDONLY); T(rmdir("d")); T(openat(d, "x", O_CREAT | O_RDWR, 0600));
    T(mkdirat(d, "x", 0700)); T(openat(d, ".", O_RDONLY) >= 0 ? 0 : -1); T(openat(d, "..", O_RDONLY) >= 0 ? 0 : -1);
    T(fstat(d, &s)); N(s.st_nlink); T(fchdir(d)); T(syscall(SYS_getcwd, b, 256)); T(stat(".", &s)); T(stat("..", &s));
    T(chdir("..")); T(chmod(".", 0777)); T(faccessat(d, "x", F_OK, 0)); T(unlinkat(d, "x", 0));
    T(renameat(d, "x", AT_FDCWD, "y")); T(renameat(AT_FDCWD, "f", d, "y")); T(symlinkat("x", d, "y")); T(fchmod(d, 0700));
    T(fchown(d, 2, 2)); T(fsync(d)); close(d);
    // names that move
    mkdir("a", 0755); mkdir("a/b", 0755); T(chdir("a/b")); T(rename("../../a", "../../c")); n = syscall(SYS_getcwd, b, 256);
    C(n > 0 && !strcmp(b + n - 5, "/c/b")); T(chdir("../..")); fd = t_file("one", "1"); T(rename("one", "two"));
    sprintf(proc, "/proc/self/fd/%d", fd); n = readlink(proc, b, 255); b[n > 0 ? n : 0] = 0; puts(strrchr(b, '/'));
    int two = t_file("three", "3"); T(rename("three", "two")); fstat(fd, &s); N(s.st_nlink); t_cat("two");
    T(pread(fd, b, 1, 0)); printf("%c\n", b[0]); close(two); T(rename("two", "two")); T(link("two", "four"));
    T(rename("two", "four")); f_show("two"); f_show("four"); T(unlink("two")); f_show("four");
    // a parent that loses its rights while the child is the working directory
    AS(1000, 1000) {
        mkdir("out", 0755); mkdir("out/in", 0755); T(chdir("out/in")); T(chmod("..", 0)); T(access("../in", F_OK));
        T(close(open("new", O_CREAT | O_RDWR, 0600))); T(access("../in/new", F_OK)); T(chmod("..", 0755)); T(unlink("new"));
        T(chdir("../.."));
    }
    // replacing what is open
    fd = t_file("old", "old"); int r = open("old", O_RDONLY); close(t_file("new", "new")); rename("new", "old");
    T(read(r, b, 3)); printf("%.3s\n", b); t_cat("old"); fstat(r, &s); N(s.st_nlink); mkdir("e1", 0755); mkdir("e2", 0755);
    d = open("e2", O_RDONLY); T(rename("e1", "e2")); fstat(d, &s); N(s.st_nlink); T(openat(d, "x", O_CREAT | O_RDWR, 0600));
    f_show("e2");
    return 0;
}
