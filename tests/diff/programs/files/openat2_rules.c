// diff: libc=glibc
// openat2: the structure, its checks, and each RESOLVE_ restriction.
#include "files.h"
#include <linux/openat2.h>

static int root;
static long o2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {flags, mode, resolve};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0) close(fd), fd = 0;
    return fd;
}

int main(void) {
    f_scratch();
    mkdir("r", 0755); mkdir("r/d", 0755); f_make("r/d/f", "in", 0644); f_make("f", "out", 0644); mkdir("d", 0755);
    f_make("d/f", "outer d", 0644);
    symlink("../f", "r/up"); symlink("/d/f", "r/abs"); symlink("d/f", "r/in"); symlink("d", "r/dl");
    symlink("../../../../../../d/f", "r/far"); symlink("loop", "r/loop"); symlink("/proc/self/exe", "r/magic");
    root = open("r", O_PATH | O_DIRECTORY);
    const uint64_t kinds[] = {0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    const char *paths[] = {"d/f", "in", "dl/f", "up", "abs", "far", "loop", "..", "../r/d/f", "d/../d/f", "d/../../r/d/f", "/d/f", "/", ".", "magic", "missing", "d/f/", "/proc/self/exe", "/proc/self/cwd/f", "d/.."};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        printf("resolve %#llx:", (unsigned long long)kinds[k]);
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) printf(" %s=%s", paths[p], f_word(o2(root, paths[p], O_RDONLY, 0, kinds[k])));
        printf(" create=%s", f_word(o2(root, "up", O_CREAT | O_RDWR, 0600, kinds[k])));
        printf(" excl=%s\n", f_word(o2(root, "/d/new", O_CREAT | O_RDWR, 0600, kinds[k])));
        unlink("r/d/new"); unlink("/d/new");
    }
    T(o2(root, "d/f", 0, 0, RESOLVE_NO_XDEV)); T(o2(root, "up", 0, 0, RESOLVE_NO_XDEV));
    T(o2(root, "/proc/self", 0, 0, RESOLVE_NO_XDEV)); T(o2(root, "/proc/self/cwd/f", 0, 0, RESOLVE_NO_XDEV));
    T(o2(root, "d/f", O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS)); T(o2(root, "in", O_NOFOLLOW | O_PATH, 0, RESOLVE_NO_SYMLINKS));
    // flags and modes that open would pass over
    T(o2(root, "d/f", 0x40000000, 0, 0)); T(o2(root, "d/f", 1ull << 40, 0, 0)); T(o2(root, "d/f", O_RDONLY, 0600, 0));
    T(o2(root, "d/n", O_CREAT | O_RDWR, 010000, 0)); T(o2(root, "d/f", 0, 0, 0x80)); T(o2(root, "d/f", 0, 0, 1ull << 33));
    T(o2(root, "d/f", O_PATH | O_RDWR, 0, 0)); T(o2(root, "d/f", O_PATH | O_CLOEXEC, 0, 0));
    T(o2(root, "d", O_TMPFILE | O_RDWR, 0600, 0)); T(o2(root, "d", O_TMPFILE, 0600, 0));
    T(o2(root, "d", O_DIRECTORY | O_CREAT, 0600, 0)); T(o2(root, "d", O_ACCMODE, 0, 0));
    T(o2(root, "d/f", 0, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT)); T(o2(root, "n", O_CREAT | O_RDWR, 0, RESOLVE_CACHED));
    T(o2(root, "d", __O_TMPFILE | O_RDWR, 0600, 0)); T(o2(-1, "d", 0, 0, 0)); T(o2(AT_FDCWD, "f", 0, 0, 0));
    T(o2(root, "", 0, 0, 0)); T(o2(root, BAD, 0, 0, 0));
    struct { struct open_how how; uint64_t more; } big = {{O_RDONLY, 0, 0}, 0};
    T(syscall(SYS_openat2, root, "d/f", &big.how, 0)); T(syscall(SYS_openat2, root, "d/f", &big.how, 23));
    Z(syscall(SYS_openat2, root, "d/f", &big, sizeof big)); big.more = 1;
    T(syscall(SYS_openat2, root, "d/f", &big, sizeof big)); T(syscall(SYS_openat2, root, "d/f", &big, 4097));
    T(syscall(SYS_openat2, root, "d/f", BAD, 24)); T(syscall(SYS_openat2, root, BAD, BAD, 5));
    return 0;
}
