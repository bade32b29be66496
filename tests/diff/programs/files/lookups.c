// diff: libc=glibc
// Symbolic links, lengths of names and paths, trailing slashes, readlink.
#include "files.h"

int main(void) {
    f_scratch();
    struct stat s;
    char name[16], back[64];
    f_make("end", "end", 0644); mkdir("d", 0755); f_make("d/f", "f", 0644);
    symlink("end", "c0");
    for (int i = 1; i <= 41; i++) {
        char target[16]; sprintf(target, "c%d", i - 1); sprintf(name, "c%d", i); symlink(target, name);
    }
    T(stat("c38", &s)); T(stat("c39", &s)); T(stat("c40", &s)); T(stat("c41", &s)); T(lstat("c41", &s));
    T(open("c39", O_RDONLY)); T(open("c40", O_RDONLY)); T(open("c40", O_CREAT | O_RDWR, 0600));
    T(open("c39", O_CREAT | O_RDWR, 0600)); T(chmod("c40", 0600)); T(truncate("c40", 0)); T(access("c40", 0)); T(chdir("c40"));
    T(unlink("c41")); T(rename("c40", "c50")); T(readlink("c50", back, 64));
    symlink("loop2", "loop1"); symlink("loop1", "loop2"); T(stat("loop1", &s)); T(open("loop1", O_RDONLY));
    T(open("loop1", O_CREAT, 0600)); T(open("loop1", O_NOFOLLOW)); T(stat("loop1/x", &s)); T(mkdir("loop1/x", 0));
    T(mkdir("loop1", 0)); T(link("loop1", "loop3")); T(unlink("loop3")); T(truncate("loop1", 0)); T(chown("loop1", 0, 0));
    T(lchown("loop1", 0, 0)); T(utimensat(AT_FDCWD, "loop1", NULL, 0));
    T(utimensat(AT_FDCWD, "loop1", NULL, AT_SYMLINK_NOFOLLOW)); T(rename("loop1/x", "y")); T(rename("end", "loop1/x"));
    T(execl("loop1", "x", NULL)); T(rmdir("loop1")); T(unlink("loop1/"));
    symlink("d/", "ds"); symlink("end/", "es"); symlink(".", "dot"); symlink("..", "dotdot");
    symlink("dot/dot/dot/end", "many"); symlink("nowhere/", "ns");
    T(stat("ds/f", &s)); T(stat("ds", &s)); T(lstat("ds/", &s)); N(S_ISDIR(s.st_mode)); T(lstat("ds", &s));
    N(S_ISLNK(s.st_mode)); T(stat("es", &s)); T(open("es", O_RDONLY)); T(stat("dot/dot/dot/end", &s)); T(stat("many", &s));
    T(stat("dotdot/w/end", &s)); T(stat("end/", &s)); T(lstat("end/", &s)); T(lstat("c0/", &s)); T(stat("end/.", &s));
    T(stat("end/..", &s)); T(stat("missing/..", &s)); T(stat("d/f/../f", &s)); T(stat("d//f", &s)); T(stat("///", &s));
    T(stat("d/./././f", &s)); T(open("ns", O_CREAT | O_RDWR, 0600)); T(mkdir("ns", 0755)); T(stat("", &s)); T(lstat("", &s));
    T(stat(BAD, &s)); T(stat("end", BAD));
    // lengths
    char *x = malloc(10000); memset(x, 'n', 9999); x[256] = 0; T(stat(x, &s)); x[255] = 0; T(stat(x, &s));
    T(open(x, O_CREAT | O_RDWR, 0600)); T(unlink(x)); memset(x, 'n', 9999); x[256] = '/'; x[258] = 0; T(stat(x, &s));
    T(mkdir(x, 0)); x[255] = '/'; x[256] = 'y'; x[257] = 0; T(stat(x, &s));
    T(stat(f_long(4095, "end"), &s)); T(stat(f_long(4096, "end"), &s)); T(open(f_long(4095, "end"), O_RDONLY));
    T(open(f_long(4096, "end"), O_RDONLY)); T(mkdir(f_long(4095, "new"), 0755)); T(mkdir(f_long(4096, "new"), 0755));
    T(rmdir(f_long(4095, "new"))); T(rename(f_long(4095, "end"), f_long(4096, "e"))); T(rename(f_long(4096, "end"), "e"));
    T(link("end", f_long(4096, "e"))); T(symlink("x", f_long(4096, "e"))); T(chdir(f_long(4096, "d")));
    T(access(f_long(4095, "end"), F_OK)); T(readlink(f_long(4096, "c0"), back, 64)); T(chmod(f_long(4096, "end"), 0644));
    T(chown(f_long(4096, "end"), 0, 0)); T(truncate(f_long(4096, "end"), 0)); T(unlink(f_long(4096, "end")));
    // readlink
    T(readlink("c1", back, 64)); T(readlink("c1", back, 1)); T(readlink("c1", back, 0)); T(readlink("c1", back, -1));
    T(readlink("end", back, 64)); T(readlink("d", back, 64)); T(readlink("missing", back, 64)); T(readlink("c1/", back, 64));
    T(readlink("ds/", back, 64)); T(readlink("c1", BAD, 64)); T(readlink("c1", BAD, 0)); T(readlink("missing", back, 0));
    T(readlink(BAD, back, 64)); T(readlink("", back, 64));
    int fd = open("c1", O_PATH | O_NOFOLLOW), e = open("end", O_PATH), dir = open("d", O_PATH); T(readlinkat(fd, "", back, 64));
    T(readlinkat(e, "", back, 64)); T(readlinkat(dir, "", back, 64)); T(readlinkat(AT_FDCWD, "", back, 64));
    T(readlinkat(e, "x", back, 64)); T(readlinkat(-1, "c1", back, 64)); T(readlinkat(-1, "", back, 64));
    T(readlink("end/x", back, 64));
    AS(1000, 1000) {
        mkdir("closed", 0700); symlink("x", "closed/l"); chmod("closed", 0600); T(readlink("closed/l", back, 64));
        T(stat("closed/l", &s)); T(chdir("closed")); T(stat("closed/.", &s)); T(stat("closed/..", &s));
        T(access("closed", R_OK)); chmod("closed", 0100); T(readlink("closed/l", back, 64)); T(open("closed", O_RDONLY));
        T(chdir("closed")); T(stat("l", &s)); T(lstat("l", &s)); T(mkdir("n", 0)); T(unlink("l")); T(chdir(".."));
    }
    return 0;
}
