// diff: timeout=90; libc=glibc
// Every call that takes a path, with every odd path: which error comes first.
#include "files.h"
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static char name255[256], name256[257], long4095[4096], long4096[4097];

static const char *const paths[] = {
    "", "missing", "missing/", "missing/x", "missing/.", "file", "file/", "file/x", "file/.", "file/..", "dir", "dir/", "dir//",
    "dir/.", "dir/..", ".", "./", "..", "/", "//", "link", "link/", "link/.", "dlink", "dlink/", "dlink/.", "dlink/in", "dangling",
    "dangling/", "dangling/x", "loop", "loop/", "loop/x", "self", "self/", "fifo", "fifo/", "dir/in/", "dir/full", "dir/full/",
    name255, name256, "dir/full/../in", long4095, long4096,
};

static void tree(void) {
    chdir("t");
    close(t_file("file", "text"));
    mkdir("dir", 0755);
    close(t_file("dir/in", "in"));
    mkdir("dir/full", 0755);
    close(t_file("dir/full/x", "x"));
    symlink("file", "link");
    symlink("dir", "dlink");
    symlink("missing", "dangling");
    symlink("loop2", "loop");
    symlink("loop", "loop2");
    symlink("self", "self");
    mkfifo("fifo", 0644);
    close(t_file("other", "other"));
}

// Removes a tree of two levels, wherever the call under test has put things.
static void clear(int dir, int depth) {
    char buffer[8192];
    lseek(dir, 0, SEEK_SET);
    long n = syscall(SYS_getdents64, dir, buffer, sizeof buffer);
    for (long at = 0; at < n;) {
        char *name = buffer + at + 19;
        at += *(unsigned short *)(buffer + at + 16);
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        int below = depth ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
        if (below >= 0) clear(below, depth - 1), close(below);
        if (unlinkat(dir, name, 0) != 0) unlinkat(dir, name, AT_REMOVEDIR);
    }
}

static long closing(long fd) {
    if (fd >= 0) close((int)fd);
    return fd < 0 ? -1 : 0;
}

static long call(int which, const char *p) {
    struct stat s;
    struct statfs f;
    struct statx x;
    char text[64];
    switch (which) {
    case 0: return closing(open(p, O_RDONLY | O_NONBLOCK));
    case 1: return closing(open(p, O_WRONLY | O_NONBLOCK));
    case 2: return closing(open(p, O_RDONLY | O_CREAT | O_NONBLOCK, 0644));
    case 3: return closing(open(p, O_RDWR | O_CREAT | O_EXCL, 0644));
    case 4: return closing(open(p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    case 5: return closing(open(p, O_PATH | O_NOFOLLOW));
    case 6: return closing(open(p, O_RDONLY | O_DIRECTORY));
    case 7: return closing(open(p, O_WRONLY | O_TRUNC | O_NONBLOCK));
    case 8: return closing(open(p, O_TMPFILE | O_RDWR, 0600));
    case 9: return mkdir(p, 0755);
    case 10: return mknod(p, S_IFREG | 0644, 0);
    case 11: return mkfifo(p, 0644);
    case 12: return link(p, "new");
    case 13: return link("other", p);
    case 14: return linkat(AT_FDCWD, p, AT_FDCWD, "new", AT_SYMLINK_FOLLOW);
    case 15: return symlink("other", p);
    case 16: return readlink(p, text, sizeof text) < 0 ? -1 : 0;
    case 17: return unlink(p);
    case 18: return rmdir(p);
    case 19: return rename(p, "new");
    case 20: return rename("other", p);
    case 21: return rename("dir", p);
    case 22: return truncate(p, 2);
    case 23: return chmod(p, 0700);
    case 24: return chown(p, 1, 1);
    case 25: return lchown(p, 1, 1);
    case 26: return access(p, R_OK);
    case 27: return stat(p, &s);
    case 28: return lstat(p, &s);
    case 29: return syscall(SYS_statx, AT_FDCWD, p, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x);
    case 30: return statfs(p, &f);
    case 31: return utimensat(AT_FDCWD, p, NULL, 0);
    case 32: return utimensat(AT_FDCWD, p, NULL, AT_SYMLINK_NOFOLLOW);
    case 33: return setxattr(p, "user.a", "b", 1, 0);
    case 34: return lsetxattr(p, "trusted.a", "b", 1, 0);
    case 35: return getxattr(p, "user.none", text, sizeof text);
    case 36: return listxattr(p, text, sizeof text) < 0 ? -1 : 0;
    case 37: return removexattr(p, "user.none");
    case 38: {
        int here = open(".", O_RDONLY);
        long result = chdir(p);
        int error = errno;
        if (fchdir(here) != 0) exit(97);
        close(here);
        errno = error;
        return result;
    }
    case 39: return execl(p, p, NULL);
    case 40: {
        int fd = inotify_init();
        long result = inotify_add_watch(fd, p, IN_OPEN | IN_DONT_FOLLOW) < 0 ? -1 : 0;
        int error = errno;
        close(fd);
        errno = error;
        return result;
    }
    case 41: return syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, p, 1);
    case 42: return syscall(SYS_renameat2, AT_FDCWD, "dir", AT_FDCWD, p, 2);
    default: return -2;
    }
}

static const char *const names[] = {
    "open", "open W", "open CREAT", "open CREAT|EXCL", "open NOFOLLOW", "open PATH|NOFOLLOW", "open DIRECTORY", "open TRUNC",
    "open TMPFILE", "mkdir", "mknod", "mkfifo", "link from", "link to", "linkat FOLLOW from", "symlink", "readlink", "unlink",
    "rmdir", "rename from", "rename to", "rename dir to", "truncate", "chmod", "chown", "lchown", "access", "stat", "lstat",
    "statx", "statfs", "utimensat", "utimensat NOFOLLOW", "setxattr", "lsetxattr trusted", "getxattr", "listxattr",
    "removexattr", "chdir", "execve", "inotify_add_watch", "rename NOREPLACE to", "exchange dir with",
};

int main(void) {
    f_scratch();
    memset(name255, 'n', 255);
    memset(name256, 'n', 256);
    strcpy(long4095, f_long(4095, "file"));
    strcpy(long4096, f_long(4096, "file"));
    mkdir("t", 0755);
    int dir = open("t", O_RDONLY);
    for (int which = 0; which < (int)(sizeof names / sizeof *names); which++) {
        printf("%s:", names[which]);
        for (size_t at = 0; at < sizeof paths / sizeof *paths; at++) {
            // A name that goes up could take the tree along; the root is not ours.
            const char *p = paths[at];
            int outside = p[0] == '/' || !strncmp(p, "..", 2);
            int changes = which == 8 || (which >= 12 && which <= 14) || (which >= 19 && which <= 21) || (which >= 23 && which <= 25) ||
                          (which >= 31 && which <= 34) || which >= 41;
            if (outside && changes) continue;
            fchdir(dir);
            chdir("..");
            clear(dir, 3);
            tree();
            errno = 0;
            const char *word = f_word(call(which, p));
            const char *shown = p == name255 ? "255" : p == name256 ? "256" : p == long4095 ? "4095" : p == long4096 ? "4096" : p;
            printf(" %s=%s", shown, word);
            if (at % 8 == 7) printf("\n ");
        }
        printf("\n");
    }
    return 0;
}
