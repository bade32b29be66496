// diff: libc=glibc
// mount and umount2: tmpfs, proc, bind, remount, move; flags that a mount keeps; errors in Linux's order.
#include "files.h"
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static void flags(const char *where) { struct statvfs v; if (statvfs(where, &v)) printf("  %s\n", t_name(errno)); else printf("  flags %#lx\n", v.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME)); }

int main(void) {
    f_scratch();
    char *page = malloc(9000); memset(page, 'x', 8999); page[8999] = 0;
    mkdir("a", 0755); mkdir("b", 0755); f_make("file", "file", 0644); f_make("file2", "two", 0644); symlink("a", "la");
    f_make("a/under", "", 0644);
    T(mount("none", "a", "tmpfs", 0, NULL)); f_show("a"); T(access("a/under", F_OK)); flags("a"); f_make("a/in", "in", 0644);
    T(rmdir("a")); T(rename("a", "c")); T(rename("a/in", "b/in")); T(link("a/in", "b/in")); T(umount2("a/in", 0));
    int fd = open("a/in", O_RDONLY); T(umount2("a", 0)); close(fd); T(chdir("a")); T(umount2("../a", 0)); T(chdir(".."));
    T(umount2("a", 0)); T(umount2("a", 0)); T(access("a/under", F_OK));
    T(mount("none", "a", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, "mode=0700,uid=5,gid=6,size=64k,nr_inodes=20"));
    f_show("a"); flags("a"); char block[70000] = {0}; fd = open("a/big", O_CREAT | O_RDWR, 0755); T(write(fd, block, 65536));
    T(write(fd, block, 1)); T(ftruncate(fd, 0)); int made = 0; char n[16];
    for (;; made++) { sprintf(n, "a/n%d", made); int f = open(n, O_CREAT | O_WRONLY, 0644); if (f < 0) break; close(f); }
    N(made); close(fd); T(mknod("a/null", S_IFCHR | 0666, 0x103)); while (made > 0) sprintf(n, "a/n%d", --made), unlink(n);
    T(mknod("a/null", S_IFCHR | 0666, 0x103)); T(open("a/null", O_RDONLY)); chmod("a/big", 0755);
    T(execl("a/big", "big", NULL)); T(access("a/big", X_OK));
    T(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL)); flags("a"); T(open("a/big", O_RDWR));
    T(open("a/new", O_CREAT | O_RDWR, 0644)); T(close(open("a/big", O_CREAT | O_RDONLY, 0644))); T(mkdir("a/d", 0755));
    T(mkdir("a/big", 0755)); T(unlink("a/big")); T(rename("a/big", "a/c")); T(link("a/big", "a/c")); T(symlink("x", "a/c"));
    T(chmod("a/big", 0600)); T(chown("a/big", 1, 1)); T(truncate("a/big", 0)); T(utimensat(AT_FDCWD, "a/big", NULL, 0));
    T(setxattr("a/big", "user.a", "1", 1, 0)); T(access("a/big", W_OK)); T(access("a/big", R_OK)); T(unlink("a/missing"));
    T(rmdir("a/missing")); T(mknod("a/x", S_IFIFO | 0600, 0)); T(mount(NULL, "a", NULL, MS_REMOUNT, NULL));
    T(mkdir("a/d", 0755)); T(mount(NULL, "a/d", NULL, MS_REMOUNT, NULL)); T(mount(NULL, "a", NULL, MS_REMOUNT, "nonsense=1"));
    // bind
    T(mount("a", "b", NULL, MS_BIND, NULL)); T(access("b/big", F_OK)); f_make("b/n0", "both", 0644); t_cat("a/n0");
    T(link("a/n0", "b/n9")); T(rename("a/n0", "b/n9")); T(umount2("a", 0)); t_cat("b/n0");
    T(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)); T(unlink("b/n0")); T(umount2("b", MNT_DETACH));
    T(mount("file", "file2", NULL, MS_BIND, NULL)); t_cat("file2"); T(unlink("file2"));
    T(mount("file", "a", NULL, MS_BIND, NULL)); T(mount("a", "file", NULL, MS_BIND, NULL)); T(umount2("file2", 0));
    t_cat("file2"); T(mount("missing", "a", NULL, MS_BIND, NULL)); T(mount(NULL, "a", NULL, MS_BIND, NULL));
    T(mount("", "a", NULL, MS_BIND, NULL));
    mkdir("b/sub", 0755); T(mount("none", "a", "tmpfs", 0, NULL)); mkdir("a/s", 0755);
    T(mount("none", "a/s", "tmpfs", 0, NULL)); f_make("a/s/deep", "", 0644); T(mount("a", "b", NULL, MS_BIND, NULL));
    T(access("b/s/deep", F_OK)); T(umount2("b", 0)); T(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
    T(access("b/s/deep", F_OK)); T(umount2("b", 0)); T(umount2("b/s", 0)); T(umount2("b", 0)); T(umount2("a", 0));
    T(mount(NULL, "a", NULL, MS_PRIVATE, NULL)); T(mount(NULL, "a/s", NULL, MS_PRIVATE, NULL));
    T(mount(NULL, "a", NULL, MS_PRIVATE | MS_SHARED, NULL)); mkdir("m", 0755); T(mount("a", "m", NULL, MS_MOVE, NULL));
    T(access("m/s/deep", F_OK)); T(access("a/s", F_OK)); T(mount("m/s", "a", NULL, MS_MOVE, NULL)); T(access("a/deep", F_OK));
    T(mount("b", "a", NULL, MS_MOVE, NULL)); T(mount("m", "m/s", NULL, MS_MOVE, NULL));
    T(mount("m", "file", NULL, MS_MOVE, NULL)); T(mount("", "a", NULL, MS_MOVE, NULL));
    T(umount2("m", MNT_EXPIRE)); T(umount2("m", MNT_EXPIRE)); T(umount2("m", MNT_EXPIRE)); T(umount2("a", MNT_EXPIRE));
    T(access("a/deep", F_OK)); T(umount2("a", MNT_EXPIRE)); T(umount2("a", MNT_EXPIRE | MNT_FORCE));
    T(umount2("a", MNT_EXPIRE)); T(umount2("a", MNT_EXPIRE));
    T(mount("none", "la", "tmpfs", 0, NULL)); T(umount2("la", UMOUNT_NOFOLLOW)); T(umount2("la", 0));
    T(mount("proc", "a", "proc", 0, NULL)); T(access("a/self/status", F_OK)); T(umount2("a", 0));
    // errors
    T(mount("none", "a", "nonsense", 0, NULL)); T(mount("none", "a", NULL, 0, NULL)); T(mount("none", "a", "", 0, NULL));
    T(mount("none", "missing", "nonsense", 0, NULL)); T(mount("none", "file", "tmpfs", 0, NULL));
    T(mount("none", "", "tmpfs", 0, NULL)); T(mount("none", BAD, "tmpfs", 0, NULL)); T(mount(BAD, "a", "tmpfs", 0, NULL));
    T(mount("none", "a", BAD, 0, NULL)); T(mount("none", "a", "tmpfs", 0, BAD)); T(mount(page, "a", "tmpfs", 0, NULL));
    T(mount("none", "a", page, 0, NULL)); T(mount("none", page, "tmpfs", 0, NULL));
    T(mount("none", "a", "tmpfs", 0, "nonsense")); T(mount("none", "a", "tmpfs", 0, "size=x"));
    T(mount("none", "a", "tmpfs", 0, "mode=9")); T(mount("none", "a", "tmpfs", 1u << 31, NULL));
    T(mount("none", "a", "tmpfs", 0xC0ED0000, NULL)); T(umount2("a", 0)); T(mount("none", "file/x", "tmpfs", 0, NULL));
    T(umount2("missing", 0)); T(umount2("file", 0)); T(umount2("a", 0x100)); T(umount2("missing", 0x100)); T(umount2("", 0));
    T(umount2(BAD, 0)); T(umount2(page, 0)); T(umount2("file/x", 0)); T(umount2("b", 0));
    AS(1000, 1000) {
        T(mount("none", "a", "tmpfs", 0, NULL)); T(mount("none", "missing", "tmpfs", 0, NULL));
        T(mount("none", "a", "nonsense", 0, NULL)); T(umount2("a", 0)); T(umount2("missing", 0));
        T(syscall(SYS_pivot_root, "a", "b")); T(chroot("a"));
    }
    T(syscall(SYS_pivot_root, "missing", "b")); T(syscall(SYS_pivot_root, "a", "missing"));
    T(syscall(SYS_pivot_root, "file", "b")); T(syscall(SYS_pivot_root, BAD, "b"));
    mkdir("root", 0755); mkdir("root/in", 0755); f_make("root/f", "in root", 0644); symlink("/f", "root/abs");
    symlink("../../../f", "root/up"); fflush(stdout);
    if (fork() == 0) {
        int out = open(".", O_RDONLY); T(chroot("missing")); T(chroot("file")); T(chroot("")); T(chroot(BAD));
        T(chroot("root")); t_cat("/f"); t_cat("/abs"); t_cat("/up"); T(access("/../../f", F_OK)); char cwd[256];
        T(syscall(SYS_getcwd, cwd, 256) > 0); C(!strncmp(cwd, "(unreachable)", 13)); T(chdir("/"));
        T(syscall(SYS_getcwd, cwd, 256)); puts(cwd); T(chdir("..")); T(access("f", F_OK)); T(fchdir(out));
        T(access("root/f", F_OK)); T(chroot(".")); T(access("/root/f", F_OK)); _exit(0);
    }
    wait(NULL);
    return 0;
}
