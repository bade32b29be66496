// read, write, pread, pwrite on a file: offsets, ends, holes, errors.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    char b[32] = "";
    T(read(fd, b, 10));
    T(lseek(fd, 4, SEEK_SET));
    T(read(fd, b, 0));
    T(read(fd, b, 3));
    b[3] = 0; S(b);
    T(pread(fd, b, 32, 7));
    b[3] = 0; S(b);
    T(pread(fd, b, 4, 10));
    T(pread(fd, b, 4, 100));
    T(pread(fd, b, 4, -1));
    T(pwrite(fd, "x", 1, -1));
    T(lseek(fd, 0, SEEK_CUR));
    T(pwrite(fd, "AB", 2, 12));
    T(pread(fd, b, 32, 0));
    for (int i = 8; i < 14; i++) printf("%d ", b[i]);
    puts("");
    T(write(fd, "++", 2));
    T(pread(fd, b, 10, 0));
    b[10] = 0; S(b);
    T(read(-1, b, 1));
    T(write(-1, b, 1));
    T(read(99, b, 1));
    int r = open("file", O_RDONLY), w = open("file", O_WRONLY), d = open(".", O_RDONLY | O_DIRECTORY);
    T(write(r, b, 1));
    T(read(w, b, 1));
    T(read(d, b, 1));
    T(pread(d, b, 1, 0));
    T(write(d, b, 1));
    T(read(r, BAD, 1));
    T(read(r, KERNEL, 1));
    T(write(w, BAD, 1));
    T(write(w, HOLE, 1));
    T(write(w, KERNEL, 0));
    int p[2];
    T(pipe(p));
    T(pread(p[0], b, 1, 0));
    T(pwrite(p[1], b, 1, 0));
    T(read(p[1], b, 1));
    T(write(p[0], b, 1));
    return 0;
}
