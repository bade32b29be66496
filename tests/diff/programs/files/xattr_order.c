// diff: libc=glibc
// Extended attributes: order of checks, sizes, lists, kinds of files, who may.
#include "files.h"
#include <sys/xattr.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
    char b[4096], *names[64]; int n = 0; ssize_t len = llistxattr(path, b, sizeof b);
    if (len < 0) { printf("%s: %s\n", path, t_name(errno)); return; }
    for (char *p = b; p < b + len; p += strlen(p) + 1) names[n++] = p;
    qsort(names, n, sizeof *names, by_name);
    printf("%s:", path); for (int i = 0; i < n; i++) printf(" %s", names[i]); puts("");
}

int main(void) {
    f_scratch();
    char b[256], longest[300]; memset(longest, 'n', 299); longest[299] = 0; memcpy(longest, "user.", 5);
    f_make("f", "x", 0644); mkdir("d", 0755); symlink("f", "l"); mkfifo("p", 0644); mknod("c", S_IFCHR | 0666, 0x103);
    int fd = open("f", O_RDONLY), path = open("f", O_PATH), pipes[2]; pipe(pipes);
    T(setxattr("missing", "user.a", "1", 1, 9)); T(setxattr("missing", longest, "1", 1, 0));
    T(setxattr("missing", "user.a", "1", 65537, 0)); T(setxattr("missing", "user.a", BAD, 1, 0));
    T(setxattr("missing", BAD, "1", 1, 0)); T(setxattr("missing", "", "1", 1, 0)); T(setxattr("missing", "user.a", "1", 1, 0));
    T(fsetxattr(-1, "user.a", "1", 1, 9)); T(fsetxattr(-1, "user.a", "1", 1, 0)); T(fsetxattr(path, "user.a", "1", 1, 0));
    T(getxattr("missing", "", b, 10)); T(getxattr("missing", BAD, b, 10)); T(getxattr("missing", longest, b, 10));
    T(fgetxattr(-1, "", b, 10)); T(removexattr("missing", "")); T(removexattr("missing", BAD));
    T(listxattr("missing", BAD, 10)); T(flistxattr(-1, b, 10)); T(flistxattr(path, b, 10)); T(fremovexattr(-1, "user.a"));
    T(fgetxattr(path, "user.a", b, 1));
    T(setxattr("f", "user.a", "one", 3, XATTR_REPLACE)); T(setxattr("f", "user.a", "one", 3, XATTR_CREATE));
    T(setxattr("f", "user.a", "two", 3, XATTR_CREATE)); T(setxattr("f", "user.a", "longer", 6, XATTR_REPLACE));
    T(setxattr("f", "user.a", "x", 1, XATTR_CREATE | XATTR_REPLACE)); T(getxattr("f", "user.a", b, 256));
    T(getxattr("f", "user.a", b, 5)); T(getxattr("f", "user.a", NULL, 0)); T(getxattr("f", "user.a", BAD, 6));
    T(getxattr("f", "user.b", b, 10)); T(getxattr("f", "user.", b, 10)); T(getxattr("f", "nonsense", b, 10));
    T(getxattr("f", "nonsense.a", b, 10)); T(setxattr("f", "user", "1", 1, 0)); T(setxattr("f", "system.a", "1", 1, 0));
    T(getxattr("f", "system.a", b, 10)); T(removexattr("f", "system.a")); T(setxattr("f", "user.empty", "", 0, 0));
    T(getxattr("f", "user.empty", b, 10)); T(setxattr("f", "user.null", NULL, 0, 0)); T(getxattr("f", "user.null", b, 10));
    longest[255] = 0; T(setxattr("f", longest, "1", 1, 0)); T(getxattr("f", longest, b, 1)); T(removexattr("f", longest));
    longest[255] = 'n'; longest[256] = 0; T(setxattr("f", longest, "1", 1, 0)); T(fsetxattr(fd, "user.fd", "1", 1, 0));
    list("f"); T(listxattr("f", NULL, 0)); T(listxattr("f", b, 3)); T(listxattr("f", BAD, 200)); T(removexattr("f", "user.a"));
    T(removexattr("f", "user.a")); T(removexattr("f", "user.")); T(removexattr("f", "user.zzz"));
    const char *files[] = {"d", "l", "p", "c"};
    for (int i = 0; i < 4; i++) {
        printf("%s:", files[i]); printf(" user %s", f_word(lsetxattr(files[i], "user.k", "1", 1, 0)));
        printf(" get %s", f_word(lgetxattr(files[i], "user.k", b, 9)));
        printf(" remove %s", f_word(lremovexattr(files[i], "user.k")));
        printf(" trusted %s", f_word(lsetxattr(files[i], "trusted.k", "1", 1, 0)));
        printf(" get %s", f_word(lgetxattr(files[i], "trusted.k", b, 9)));
        printf(" security %s\n", f_word(lsetxattr(files[i], "security.k", "1", 1, 0))); list(files[i]);
    }
    T(setxattr("l", "user.through", "1", 1, 0)); list("f"); T(fsetxattr(pipes[0], "user.k", "1", 1, 0));
    T(fgetxattr(pipes[0], "user.k", b, 1)); T(flistxattr(pipes[0], b, 100));
    T(setxattr("/proc/self/status", "user.k", "1", 1, 0)); T(getxattr("/proc/self/status", "user.k", b, 1));
    T(listxattr("/proc/self/status", b, 100));
    T(setxattr("f", "trusted.t", "1", 1, 0)); T(setxattr("f", "security.s", "1", 1, 0)); chmod("f", 0644);
    AS(1000, 1000) {
        T(getxattr("f", "user.fd", b, 9)); T(setxattr("f", "user.mine", "1", 1, 0)); T(removexattr("f", "user.fd"));
        T(getxattr("f", "trusted.t", b, 9)); T(setxattr("f", "trusted.x", "1", 1, 0)); T(removexattr("f", "trusted.t"));
        T(getxattr("f", "security.s", b, 9)); T(setxattr("f", "security.x", "1", 1, 0)); list("f");
        T(setxattr("f", "system.x", "1", 1, 0)); T(setxattr("f", "nonsense.x", "1", 1, 0));
        T(setxattr("d", "user.x", "1", 1, 0)); T(fgetxattr(fd, "user.fd", b, 9)); T(fsetxattr(fd, "user.x", "1", 1, 0));
    }
    chmod("f", 0200); AS(1000, 1000) { T(getxattr("f", "user.fd", b, 9)); list("f"); } chmod("f", 0666); chmod("d", 01777);
    AS(1000, 1000) {
        T(setxattr("f", "user.mine", "1", 1, 0)); T(setxattr("d", "user.x", "1", 1, 0)); T(removexattr("f", "user.mine"));
    }
    // they belong to the inode
    link("f", "g"); T(getxattr("g", "user.fd", b, 9)); rename("g", "h"); T(removexattr("h", "user.fd"));
    T(getxattr("f", "user.fd", b, 9)); struct stat before, after; stat("f", &before); t_sleep_ms(20);
    setxattr("f", "user.c", "1", 1, 0); stat("f", &after); C(before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
    C(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    return 0;
}
