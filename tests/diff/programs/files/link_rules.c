// diff: libc=glibc
// link, unlink, rmdir, mkdir, mknod: errors in Linux's order.
#include "files.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/sysmacros.h>

int main(void) {
    f_scratch();
    char *longest = malloc(300); memset(longest, 'x', 299); longest[299] = 0; char *most = strdup(longest); most[255] = 0;
    f_make("f", "x", 0644); mkdir("d", 0755); mkdir("d/sub", 0755); symlink("f", "l"); symlink("nowhere", "dangling");
    mkfifo("p", 0644); symlink("d", "dl");
    // link
    T(link("f", "g")); f_show("f"); T(link("f", "g")); T(link("missing", "h")); T(link("missing", "g")); T(link("d", "e"));
    T(link("d", "g")); T(link("f", "d")); T(link("f", "d/")); T(link("f", "d/x/")); T(link("f", "none/")); T(link("f/", "h"));
    T(link("f", "h/")); T(link("l", "l2")); f_show("l2"); T(link("dangling", "dangling2")); f_show("dangling2");
    T(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW)); f_show("l3");
    T(linkat(AT_FDCWD, "dangling", AT_FDCWD, "l4", AT_SYMLINK_FOLLOW)); T(linkat(AT_FDCWD, "f", AT_FDCWD, "l5", 0x20));
    T(linkat(AT_FDCWD, "", AT_FDCWD, "l5", AT_EMPTY_PATH)); T(linkat(AT_FDCWD, "", AT_FDCWD, "l5", 0));
    T(linkat(-1, "f", AT_FDCWD, "l5", 0)); T(linkat(AT_FDCWD, "f", -1, "l5", 0)); T(linkat(-1, "", -1, "l5", AT_EMPTY_PATH));
    T(link("f", "dangling")); T(link("p", "p2")); T(link("f", longest)); T(link("f", most)); T(link(longest, "f"));
    T(link("missing", BAD)); T(link(BAD, "f")); T(link("f", BAD)); T(link("f", "")); T(link("", "f")); T(link("f", "."));
    T(link("f", "..")); T(link("f", "/")); T(link(".", "dot")); T(link("f", "f/x")); T(link("f/x", "y"));
    T(link("none/x", "y")); T(link("f", "none/y")); T(link("f", "/dev/shm-none/x"));
    // unlink, rmdir
    T(unlink("missing")); T(unlink("d")); T(unlink("d/")); T(unlink("f/")); T(unlink("l/")); T(unlink("dl/")); T(unlink("dl"));
    T(unlink("dangling/")); T(unlink("dangling")); T(unlink(".")); T(unlink("..")); T(unlink("/")); T(unlink("d/."));
    T(unlink("d/..")); T(unlink("")); T(unlink(BAD)); T(unlink("f/x")); T(unlink("none/x")); T(unlink(longest));
    T(unlink(most)); T(unlink("none/"));
    symlink("d", "dl"); T(rmdir("d")); T(rmdir("f")); T(rmdir("f/")); T(rmdir("l")); T(rmdir("dl")); T(rmdir("dl/"));
    T(rmdir("missing")); T(rmdir("missing/")); T(rmdir(".")); T(rmdir("..")); T(rmdir("d/sub/.")); T(rmdir("d/sub/.."));
    T(rmdir("/")); T(rmdir("")); T(rmdir("p")); T(rmdir("/dev")); T(rmdir("/proc/self")); T(unlinkat(AT_FDCWD, "d/sub", 0));
    T(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR)); T(unlinkat(AT_FDCWD, "f", 1)); T(unlinkat(-1, "f", 0)); T(unlinkat(0, "f", 0));
    T(unlinkat(AT_FDCWD, "d/sub", AT_REMOVEDIR)); T(rmdir("d/")); f_show("d");
    // mkdir
    T(mkdir("d", 0777)); T(mkdir("d", 0)); T(mkdir("d/", 0)); T(mkdir("f", 0)); T(mkdir("l", 0));
    symlink("nowhere", "dangling"); T(mkdir("dangling", 0)); T(mkdir("dangling/", 0)); T(mkdir(".", 0)); T(mkdir("..", 0));
    T(mkdir("/", 0)); T(mkdir("", 0)); T(mkdir("f/x", 0)); T(mkdir("none/x", 0)); T(mkdir("e///", 0755)); f_show("e");
    T(mkdir("e/.", 0)); T(mkdir("e2/.", 0)); T(mkdir("e2/..", 0)); T(mkdir(longest, 0)); T(mkdir(most, 07777)); f_show(most);
    T(mkdir(BAD, 0)); T(mkdirat(-1, "x", 0)); umask(0); T(mkdir("m1", 01777)); T(mkdir("m2", 06777)); f_show("m1");
    f_show("m2"); umask(0777); T(mkdir("m3", 0777)); f_show("m3"); umask(022);
    // mknod
    T(mknod("n1", 0644, 0)); T(mknod("n2", S_IFREG | 06755, 0)); T(mknod("n3", S_IFIFO | 0666, 0));
    T(mknod("n4", S_IFSOCK | 0600, 0)); T(mknod("n5", S_IFCHR | 0600, makedev(1, 3)));
    T(mknod("n6", S_IFBLK | 0600, makedev(199, 7))); T(mknod("n7", S_IFDIR | 0755, 0)); T(mknod("n8", S_IFLNK | 0755, 0));
    T(mknod("n9", 0170000, 0)); T(mknod("n10", 010644 | 0020000, 0));
    for (int i = 1; i < 9; i++) { char n[8]; sprintf(n, "n%d", i); f_show(n); }
    struct stat s; stat("n5", &s); printf("%u:%u\n", major(s.st_rdev), minor(s.st_rdev)); int fd = T(open("n5", O_WRONLY));
    T(write(fd, "x", 1)); T(open("n4", O_RDWR)); T(open("n6", O_RDONLY)); T(mknod("n1", S_IFREG, 0));
    T(mknod("n1", S_IFDIR, 0)); T(mknod("n1/", S_IFREG, 0)); T(mknod("new/", S_IFREG | 0600, 0));
    T(mknod("new/", S_IFIFO | 0600, 0)); T(mknod("dangling", S_IFREG | 0600, 0)); T(mknod("", S_IFREG, 0));
    T(mknod("none/x", S_IFREG, 0)); T(mknod("f/x", S_IFREG, 0)); T(mknod(".", S_IFREG, 0)); T(mknodat(-1, "x", S_IFREG, 0));
    T(mknod("x", S_IFCHR | 0600, makedev(99, 99))); T(open("x", O_RDONLY));
    // symlink
    T(symlink("", "s")); T(symlink("x", "")); T(symlink("x", "f")); T(symlink("x", "d/")); T(symlink("x", "s/"));
    T(symlink("x", ".")); T(symlink(BAD, "")); T(symlink("x", BAD)); T(symlink("", BAD)); T(symlink("x", "none/s"));
    T(symlink("x", "f/s")); T(symlinkat("x", -1, "s")); char *target = malloc(5000); memset(target, 'a', 4999);
    target[4999] = 0; T(symlink(target, "s")); target[4096] = 0; T(symlink(target, "s")); target[4095] = 0;
    T(symlink(target, "s")); char back[5000]; T(readlink("s", back, sizeof back)); T(readlink("s", back, 10));
    T(open("s", O_RDONLY));
    AS(1000, 1000) {
        T(link("d/none", "h")); T(mkdir("/w-none", 0)); T(unlink("/etc/passwd")); T(rmdir("/proc"));
        T(mknod("own", S_IFCHR | 0600, makedev(1, 3))); T(mknod("own", S_IFIFO | 0600, 0));
        T(mknod("own", S_IFCHR | 0600, makedev(1, 3))); T(mknod("own", S_IFDIR, 0)); T(unlink("own"));
    }
    // a directory that was removed
    mkdir("gone", 0755); T(chdir("gone")); T(rmdir("../gone")); T(mkdir("x", 0755)); T(open("x", O_CREAT | O_RDWR, 0600));
    T(symlink("x", "y")); T(mknod("x", S_IFREG, 0)); T(link("../f", "y")); T(open(".", O_RDONLY));
    T(open("..", O_RDONLY)); T(stat(".", &s)); N(s.st_nlink); T(unlink("x")); T(rmdir("x")); T(rename("x", "y")); T(chdir("."));
    T((long)getcwd(back, sizeof back)); T(open(".", O_TMPFILE | O_RDWR, 0600)); T(chdir(".."));
    return 0;
}
