// umask, chmod, fchmod, fchmodat, chown and what they do to set-id bits, as root.
#include "t.h"

static void mode(const char *name) {
    struct stat st;
    lstat(name, &st);
    printf("  %s: %o %d:%d\n", name, st.st_mode & 07777, st.st_uid, st.st_gid);
}

int main(void) {
    t_scratch();
    T(umask(077));
    T(umask(0));
    close(open("a", O_CREAT | O_WRONLY, 0666)); mode("a");
    T(umask(07777));
    close(open("b", O_CREAT | O_WRONLY, 0666)); mode("b");
    mkdir("d", 0777); mode("d");
    T(umask(022));
    close(open("c", O_CREAT | O_WRONLY, 06777)); mode("c");
    int fd = open("a", O_RDWR);
    T(chmod("a", 0)); mode("a");
    T(fchmod(fd, 07777)); mode("a");
    T(write(fd, "x", 1)); mode("a"); // root keeps the bits
    T(fchmodat(AT_FDCWD, "a", 0640, 0)); mode("a");
    T(chmod("missing", 0));
    T(chmod("a/x", 0));
    T(syscall(SYS_chmod, BAD, 0));
    T(fchmod(-1, 0));
    T(syscall(SYS_fchmodat, -1, "a", 0));
    T(chown("a", 1, 2)); mode("a");
    T(chown("a", -1, 3)); mode("a");
    T(chown("a", 4, -1)); mode("a");
    T(chown("a", -1, -1)); mode("a");
    T(chmod("a", 06755)); mode("a");
    T(fchown(fd, 5, 6)); mode("a");
    symlink("a", "l");
    T(lchown("l", 7, 8)); mode("l"); mode("a");
    T(chown("l", 9, 9)); mode("l"); mode("a");
    T(fchownat(fd, "", 1, 1, AT_EMPTY_PATH)); mode("a");
    T(fchownat(AT_FDCWD, "a", 1, 1, 0x8000));
    T(chown("missing", 0, 0));
    T(fchown(-1, 0, 0));
    chmod("d", 02755);
    close(open("d/inherits", O_CREAT | O_WRONLY, 0644)); mode("d/inherits");
    chown("d", 0, 42);
    chmod("d", 02755);
    close(open("d/group", O_CREAT | O_WRONLY, 0644)); mode("d/group");
    mkdir("d/sub", 0755); mode("d/sub");
    return 0;
}
