// open(2): the creation flags and their errors.
#include "t.h"

int main(void) {
    t_scratch();
    T(mkdir("dir", 0755));
    T(symlink("dir", "to-dir"));
    T(symlink("nowhere", "dangling"));
    T(symlink("loop-a", "loop-b"));
    T(symlink("loop-b", "loop-a"));
    close(t_file("file", "contents"));

    T(open("missing", O_RDONLY));
    T(open("missing/x", O_RDWR | O_CREAT, 0644));
    T(open("file/x", O_RDONLY));
    T(open("file/", O_RDONLY));
    T(open("dir", O_WRONLY));
    T(open("dir", O_RDWR));
    T(open("dir/", O_CREAT | O_WRONLY, 0644));
    T(open("newdir/", O_CREAT | O_WRONLY, 0644));
    T(open("", O_RDONLY));
    T(open("loop-a", O_RDONLY));
    T(open("dangling", O_RDONLY));
    T(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
    T(open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
    T(open("dir", O_RDONLY | O_CREAT | O_EXCL, 0644));
    T(open("dir", O_RDONLY | O_CREAT, 0644));
    T(open("file", O_RDONLY | O_DIRECTORY));
    T(open("to-dir", O_RDONLY | O_NOFOLLOW));
    T(open("to-dir", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
    T(open("missing", O_RDONLY | O_DIRECTORY));
    T(open(BAD, O_RDONLY));
    T(open(KERNEL, O_RDONLY));
    T(open(HOLE, O_RDONLY));

    int fd;
    T(fd = open("dangling", O_RDWR | O_CREAT, 0600));
    T(write(fd, "through the link", 16));
    close(fd);
    t_cat("nowhere");
    T(fd = open("file", O_WRONLY | O_TRUNC));
    T(read(fd, (char[4]){0}, 4));
    close(fd);
    t_cat("file");
    T(fd = open("to-dir", O_RDONLY | O_DIRECTORY));
    T(openat(fd, "missing", O_RDONLY));
    T(fd = openat(fd, "inside", O_RDWR | O_CREAT, 0644));
    close(fd);
    T(access("dir/inside", F_OK));
    T(openat(-1, "file", O_RDONLY));
    T(openat(fd, "file", O_RDONLY));
    T(fd = open("file", O_RDONLY));
    T(openat(fd, "x", O_RDONLY));
    T(write(fd, "x", 1));
    return 0;
}
