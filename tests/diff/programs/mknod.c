// mknod: files, fifos, devices as root; device numbers lead to the devices.
#include "t.h"
#include <sys/sysmacros.h>

int main(void) {
    t_scratch();
    struct stat st;
    T(mknod("file", S_IFREG | 0640, 0));
    T(mknod("plain", 0600, 0));
    stat("plain", &st);
    C(S_ISREG(st.st_mode));
    T(mknod("file", S_IFREG | 0640, 0));
    T(mknod("fifo", S_IFIFO | 0600, 0));
    T(mknod("socket", S_IFSOCK | 0600, 0));
    T(mknod("dir", S_IFDIR | 0700, 0));
    T(mknod("no/file", S_IFREG | 0600, 0));
    T(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    stat("null", &st);
    N(major(st.st_rdev)); N(minor(st.st_rdev));
    T(mknod("nobody", S_IFCHR | 0666, makedev(240, 77)));
    T(open("nobody", O_RDWR));
    T(mknodat(-1, "x", S_IFREG | 0600, 0));
    return 0;
}
