// O_TMPFILE: a file without a name, until it is linked.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = T(open(".", O_TMPFILE | O_RDWR, 0640));
    struct stat st;
    T(write(fd, "nameless", 8));
    T(fstat(fd, &st));
    N(st.st_nlink);
    N(st.st_size);
    N(st.st_mode & 07777);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    T(fstat(fd, &st));
    N(st.st_nlink);
    t_cat("named");
    close(fd);
    fd = T(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
    T(open(".", O_TMPFILE | O_RDONLY, 0600));
    T(open("missing", O_TMPFILE | O_RDWR, 0600));
    T(open("named", O_TMPFILE | O_RDWR, 0600));
    return 0;
}
