// mkdir, rmdir, unlink and unlinkat, errno by errno.
#include "t.h"

int main(void) {
    t_scratch();
    struct stat st;
    T(mkdir("d", 0777));
    stat("d", &st);
    N(st.st_mode & 07777);
    T(mkdir("d", 0777));
    T(mkdir("d/", 0777));
    T(mkdir("slash/", 0700));
    T(mkdir("no/d", 0777));
    T(mkdir("", 0777));
    T(mkdir(".", 0777));
    T(mkdir("d/.", 0777));
    T(mkdir("d/..", 0777));
    close(t_file("file", ""));
    T(mkdir("file", 0777));
    T(mkdir("file/d", 0777));
    T(mkdir(BAD, 0777));
    T(mkdir("d/e", 01777));
    stat("d/e", &st);
    N(st.st_mode & 07777);
    T(rmdir("d"));
    T(rmdir("missing"));
    T(rmdir("file"));
    T(rmdir("d/."));
    T(rmdir("d/e/.."));
    T(rmdir(""));
    T(rmdir("file/x"));
    T(rmdir("d/e/"));
    T(rmdir("d"));
    T(unlink("slash"));
    T(unlink("slash/"));
    T(unlink("missing"));
    T(unlink("file/"));
    T(unlink("file/x"));
    T(unlink(""));
    T(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "slash", 0));
    T(unlinkat(AT_FDCWD, "slash", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "file", 0x4000));
    T(unlinkat(-1, "file", 0));
    T(unlinkat(AT_FDCWD, "file", 0));
    T(rmdir("/"));
    T(mkdir("/", 0777));
    T(mkdirat(-1, "x", 0777));
    mkdir("gone", 0755);
    chdir("gone");
    T(rmdir("../gone"));
    T(mkdir("inside", 0755));
    T(open("inside", O_CREAT | O_WRONLY, 0644));
    T(access(".", F_OK));
    T(getcwd((char[64]){0}, 64) == NULL ? -1 : 0);
    return 0;
}
