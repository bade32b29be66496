// link, symlink, readlink and files unlinked while open.
#include "t.h"

int main(void) {
    t_scratch();
    struct stat st;
    char b[64] = "";
    int fd = t_file("a", "data");
    mkdir("d", 0755);
    T(link("a", "b"));
    fstat(fd, &st); N(st.st_nlink);
    T(link("a", "b"));
    T(link("missing", "c"));
    T(link("d", "c"));
    T(link("a", "no/c"));
    T(link("a/x", "c"));
    T(link("a", ""));
    T(symlink("a", "s"));
    T(symlink("a", "s"));
    T(symlink("", "empty"));
    T(symlink("x", ""));
    T(symlink("x", "no/s"));
    T(symlink(BAD, "s2"));
    T(link("s", "hard-to-link"));
    lstat("hard-to-link", &st); C(S_ISLNK(st.st_mode));
    T(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-to-file", AT_SYMLINK_FOLLOW));
    lstat("hard-to-file", &st); C(S_ISREG(st.st_mode));
    T(linkat(AT_FDCWD, "s", AT_FDCWD, "x", 0x8000));
    T(readlink("s", b, sizeof b)); S(b);
    T(syscall(SYS_readlink, "s", b, 0L));
    T(readlink("a", b, 10));
    T(readlink("d", b, 10));
    T(readlink("missing", b, 10));
    T(readlink("s", BAD, 10));
    symlink("0123456789", "long");
    memset(b, '.', 20); b[20] = 0;
    T(readlink("long", b, 4)); S(b);
    T(unlink("a"));
    T(unlink("b"));
    T(unlink("hard-to-file"));
    fstat(fd, &st); N(st.st_nlink);
    T(pread(fd, b, 4, 0));
    T(pwrite(fd, "more", 4, 4));
    fstat(fd, &st); N(st.st_size);
    T(open("s", O_RDONLY));
    T(open("s/x", O_RDONLY));
    char name[16], target[16] = "d";
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof name, "l%d", i);
        symlink(target, name);
        strcpy(target, name);
    }
    T(access("l40", F_OK)); // forty links are followed,
    T(access("l41", F_OK)); // the next one is too many
    return 0;
}
