// diff: libc=glibc
// Extended attributes: namespaces, flags, limits, kinds of files, permissions, order of errors.
#include "files.h"
#include <sys/xattr.h>

static char big[70000], value[70000];

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(const char *name) {
    char names[8192], *sorted[256];
    long len = llistxattr(name, names, sizeof names);
    int n = 0;
    printf("%s: %s", name, len < 0 ? t_name(errno) : "");
    for (char *at = names; len > 0 && at < names + len; at += strlen(at) + 1)
        if (strncmp(at, "security.", 9) || !strcmp(at, "security.mine")) sorted[n++] = at;
    qsort(sorted, n, sizeof *sorted, by_name);
    for (int i = 0; i < n; i++) printf(" %s", sorted[i]);
    printf("\n");
}

int main(void) {
    f_scratch();
    memset(big, 'n', sizeof big);
    f_make("f", "", 0644); mkdir("d", 0755); symlink("f", "l"); mkfifo("p", 0644); mknod("s", S_IFSOCK | 0644, 0);
    mkdir("t", 01777);
    chmod("t", 01777);
    T(setxattr("f", "user.a", "one", 3, 0)); T(setxattr("f", "user.a", "two", 3, XATTR_CREATE)); T(setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
    T(setxattr("f", "user.a", "twotwo", 6, XATTR_REPLACE)); T(setxattr("f", "user.b", "x", 1, XATTR_CREATE | XATTR_REPLACE));
    T(setxattr("f", "user.c", "x", 1, 4)); T(setxattr("f", "user.e", "", 0, 0)); T(setxattr("f", "user.n", NULL, 0, 0)); T(setxattr("f", "user.n", NULL, 1, 0));
    list("f");
    T(getxattr("f", "user.a", value, sizeof value)); T(getxattr("f", "user.a", value, 0)); T(getxattr("f", "user.a", value, 3)); T(getxattr("f", "user.a", BAD, 10));
    T(getxattr("f", "user.e", value, 10)); T(getxattr("f", "user.z", value, 10)); T(getxattr("f", BAD, value, 10)); T(getxattr("f", "user.a", NULL, 0));
    T(listxattr("f", value, 1)); T(listxattr("f", NULL, 0) > 0); T(listxattr("f", BAD, 100));
    // names
    static const char *const names[] = {"", "user", "user.", "user.x", "trusted.", "trusted.x", "security.", "security.mine", "system.", "system.x",
        "other.x", "x", ".", "USER.x", "user..", "os2.x", "btrfs.x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        printf("%s: set %s", names[i], f_word(setxattr("f", names[i], "v", 1, 0)));
        printf(" get %s", f_word(getxattr("f", names[i], value, 100)));
        printf(" remove %s\n", f_word(removexattr("f", names[i])));
    }
    big[0] = 'u', big[1] = 's', big[2] = 'e', big[3] = 'r', big[4] = '.', big[255] = 0;
    T(setxattr("f", big, "v", 1, 0)); T(getxattr("f", big, value, 10)); T(removexattr("f", big));
    big[255] = 'n', big[256] = 0;
    T(setxattr("f", big, "v", 1, 0)); T(getxattr("f", big, value, 10)); T(removexattr("f", big));
    big[256] = 'n';
    T(setxattr("f", "user.big", big, 65537, 0)); T(setxattr("f", "user.big", big, 2000, 0)); T(getxattr("f", "user.big", value, sizeof value));
    T(getxattr("f", "user.big", value, 1999)); C(!memcmp(big, value, 2000)); T(removexattr("f", "user.big")); T(getxattr("f", "user.a", value, 1 << 20));
    // kinds
    static const char *const files[] = {"f", "d", "l", "p", "s"};
    static const char *const spaces[] = {"user.k", "trusted.k", "security.mine"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t k = 0; k < sizeof spaces / sizeof *spaces; k++) {
            printf("%s %s: set %s", files[i], spaces[k], f_word(lsetxattr(files[i], spaces[k], "v", 1, 0)));
            printf(" get %s", f_word(lgetxattr(files[i], spaces[k], value, 100)));
            printf(" remove %s\n", f_word(lremovexattr(files[i], spaces[k])));
        }
    // descriptors
    int fd = open("f", O_RDONLY), path = open("f", O_PATH);
    T(fsetxattr(fd, "user.fd", "v", 1, 0)); T(fgetxattr(fd, "user.fd", value, 10)); T(flistxattr(fd, NULL, 0) > 0); T(fremovexattr(fd, "user.fd"));
    T(fsetxattr(path, "user.fd", "v", 1, 0)); T(fgetxattr(path, "user.a", value, 10)); T(flistxattr(path, NULL, 0)); T(fremovexattr(path, "user.a"));
    T(fsetxattr(-1, "user.fd", "v", 1, 0)); T(fgetxattr(99, "user.a", value, 10)); T(setxattr("l", "user.l", "v", 1, 0)); T(lgetxattr("l", "user.l", value, 9));
    // who
    setxattr("f", "trusted.t", "v", 1, 0); setxattr("f", "security.mine", "v", 1, 0);
    f_make("secret", "", 0600); setxattr("secret", "user.a", "v", 1, 0); f_make("world", "", 0666); f_make("mine", "", 0400); chown("mine", NOBODY, NOBODY);
    list("f");
    AS(NOBODY, NOBODY) {
        list("f"); list("secret");
        T(getxattr("f", "user.a", value, 10)); T(getxattr("f", "trusted.t", value, 10)); T(getxattr("f", "security.mine", value, 10));
        T(setxattr("f", "user.a", "v", 1, 0)); T(setxattr("f", "trusted.t", "v", 1, 0)); T(setxattr("f", "security.mine", "v", 1, 0));
        T(removexattr("f", "user.a")); T(removexattr("f", "trusted.t")); T(removexattr("f", "security.mine")); T(removexattr("f", "security.none"));
        T(getxattr("secret", "user.a", value, 10)); T(getxattr("secret", "trusted.t", value, 10)); T(setxattr("world", "user.a", "v", 1, 0));
        T(getxattr("world", "user.a", value, 10)); T(setxattr("mine", "user.a", "v", 1, 0)); T(getxattr("mine", "user.a", value, 10));
        T(setxattr("t", "user.a", "v", 1, 0)); T(setxattr("world", "system.x", "v", 1, 0)); T(setxattr("world", "user.", "v", 1, 0));
        T(getxattr("p", "user.a", value, 10)); T(setxattr("p", "user.a", "v", 1, 0)); T(lsetxattr("l", "user.a", "v", 1, 0));
    }
    // They stay with the inode.
    T(link("f", "f2")); list("f2"); T(rename("f2", "f3")); list("f3"); T(unlink("f")); list("f3");
    return 0;
}
