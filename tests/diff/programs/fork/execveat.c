// execveat: by directory, by descriptor, and its errors; scripts through a descriptor.
#include "job.h"

#define AT(fd, path, flags) syscall(SYS_execveat, fd, path, args, environ, flags)
static char *args[] = {"name", "child", NULL};
static int dir, self;
static int errors(void) {
    T(AT(AT_FDCWD, "", 0)); T(AT(AT_FDCWD, "", AT_EMPTY_PATH)); T(AT(self, "", 0)); T(AT(self, "x", 0)); T(AT(0x7fff, "x", 0));
    T(AT(0x7fff, "", AT_EMPTY_PATH)); T(AT(dir, "", AT_EMPTY_PATH)); T(AT(dir, "missing", 0)); T(AT(dir, "link", AT_SYMLINK_NOFOLLOW)); T(AT(dir, "plain", 0));
    T(AT(dir, "x", 0x8000));
    return 0;
}
static int by_fd(void) { AT(self, "", AT_EMPTY_PATH); return errno; }
static int by_dir(void) { AT(dir, "link", 0); return errno; }
static int absolute(void) { AT(0x7fff, "/proc/self/exe", 0); return errno; }

int main(int argc, char **argv) {
    if (argc > 1) { printf("%s %s\n", argv[0], argv[1]); return 14; }
    t_scratch();
    mkdir("d", 0755);
    char exe[300] = "";
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    symlink(exe, "d/link");
    close(t_file("d/plain", "x"));
    dir = open("d", O_RDONLY | O_DIRECTORY), self = open("/proc/self/exe", O_RDONLY);
    J(errors); J(by_fd); J(by_dir); J(absolute);
    unlink("d/link"), unlink("d/plain"), rmdir("d");
    return 0;
}
