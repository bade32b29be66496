// chdir, fchdir, getcwd, and paths with dots.
#include "t.h"

int main(void) {
    t_scratch();
    char base[4096], now[4096];
    getcwd(base, sizeof base);
    size_t n = strlen(base);
    mkdir("a", 0755);
    mkdir("a/b", 0755);
    close(t_file("a/file", "x"));
    symlink("a/b", "link");
    T(chdir("a/b"));
    getcwd(now, sizeof now); S(now + n);
    T(chdir(".."));
    getcwd(now, sizeof now); S(now + n);
    T(access("b/../file", F_OK));
    T(access("./b/./../file", F_OK));
    T(access("b//..//file", F_OK));
    T(access("file/..", F_OK));
    T(access("nothing/../file", F_OK));
    T(chdir("file"));
    T(chdir("missing"));
    T(chdir(""));
    T(chdir(BAD));
    T(chdir("../link"));
    getcwd(now, sizeof now); S(now + n);
    T(chdir("../file"));
    int dir = open(base, O_RDONLY | O_DIRECTORY), file = open("../file", O_RDONLY);
    T(fchdir(dir));
    getcwd(now, sizeof now); S(now + n);
    T(fchdir(file));
    T(fchdir(-1));
    T(syscall(SYS_getcwd, now, 1));
    T(syscall(SYS_getcwd, now, 0));
    T(syscall(SYS_getcwd, BAD, 4096));
    T(syscall(SYS_getcwd, now, 4096) == (long)n + 1);
    T(chdir("/"));
    T(syscall(SYS_getcwd, now, 4096)); S(now);
    T(chdir("/../.."));
    T(syscall(SYS_getcwd, now, 4096)); S(now);
    fchdir(dir);
    T(rename("a", "z"));
    T(chdir("z/b"));
    T(rename("../../z", "../../y"));
    getcwd(now, sizeof now); S(now + n);
    char path[5000];
    memset(path, '/', sizeof path);
    path[4095] = 0;
    T(access(path, F_OK));
    path[4095] = '/', path[4096] = 0;
    T(access(path, F_OK));
    return 0;
}
