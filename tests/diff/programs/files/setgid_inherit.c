// diff: libc=glibc
// What directories with the set-group-ID bit hand down, and who may set the bit.
#include "files.h"

static void all(const char *dir) {
    static const int modes[] = {0644, 0755, 02755, 02744, 04755, 06775, 07777, 01777};
    char name[64];
    for (size_t at = 0; at < sizeof modes / sizeof *modes; at++) {
        sprintf(name, "%s/f%o", dir, modes[at]);
        int fd = open(name, O_CREAT | O_EXCL | O_RDWR, modes[at]);
        if (fd < 0) printf("%s: %s\n", name, t_name(errno));
        else close(fd), f_show(name);
        unlink(name);
        sprintf(name, "%s/d%o", dir, modes[at]);
        printf("mkdir %s\n", f_word(mkdir(name, modes[at])));
        f_show(name);
        rmdir(name);
        sprintf(name, "%s/n%o", dir, modes[at]);
        printf("mknod %s\n", f_word(mknod(name, S_IFIFO | modes[at], 0)));
        f_show(name);
        unlink(name);
    }
    sprintf(name, "%s/l", dir);
    printf("symlink %s\n", f_word(symlink("x", name)));
    f_show(name);
    unlink(name);
    int fd = open(dir, O_TMPFILE | O_RDWR, 02777);
    struct stat s;
    if (fd >= 0 && fstat(fd, &s) == 0) printf("tmpfile %o %u:%u\n", s.st_mode, s.st_uid, s.st_gid);
}

int main(void) {
    f_scratch();
    umask(0);
    mkdir("plain", 0777);
    mkdir("set", 0777); chown("set", 5, 2000); chmod("set", 02777);
    mkdir("mine", 0777); chown("mine", 1000, 1000); chmod("mine", 02777);
    all("plain"); all("set");
    AS(1000, 1000) { all("plain"); all("set"); all("mine"); }
    umask(022);
    AS(1000, 2000) { all("set"); }
    umask(0);
    AS(1000, 1000) {
        f_make("mine/f", "", 0644);
        T(chmod("mine/f", 02755)); f_show("mine/f");
        T(chown("mine/f", -1, 2000)); T(chown("mine/f", -1, 1000)); f_show("mine/f");
        T(mkdir("set/sub", 0755)); f_show("set/sub");
        T(chmod("set/sub", 02755)); f_show("set/sub"); // not a member of its group
        T(chmod("set/sub", 03711)); f_show("set/sub");
    }
    return 0;
}
