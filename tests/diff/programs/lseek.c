// lseek: every whence, errors, SEEK_DATA and SEEK_HOLE.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    T(lseek(fd, 5, SEEK_SET));
    T(lseek(fd, -2, SEEK_CUR));
    T(lseek(fd, -4, SEEK_CUR));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, 2, SEEK_END));
    T(lseek(fd, -11, SEEK_END));
    T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, 0, 77));
    T(lseek(fd, LONG_MAX, SEEK_SET));
    T(lseek(fd, LONG_MAX, SEEK_CUR));
    T(lseek(-1, 0, SEEK_SET));
    int p[2];
    pipe(p);
    T(lseek(p[0], 0, SEEK_SET));
    T(lseek(p[0], 0, SEEK_CUR));
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE));
    T(lseek(fd, 10, SEEK_DATA));
    T(lseek(fd, 10, SEEK_HOLE));
    T(lseek(fd, -1, SEEK_HOLE));
    int sparse = t_file("sparse", "");
    T(pwrite(sparse, "x", 1, 1 << 20));
    T(lseek(sparse, 0, SEEK_DATA));
    T(lseek(sparse, 0, SEEK_HOLE));
    T(lseek(sparse, 1 << 20, SEEK_HOLE));
    T(pwrite(sparse, "x", 1, 0));
    T(lseek(sparse, 100, SEEK_DATA));
    T(lseek(sparse, 100, SEEK_HOLE));
    T(lseek(sparse, 5000, SEEK_DATA));
    T(lseek(sparse, 5000, SEEK_HOLE));
    T(lseek(sparse, (1 << 20) + 1, SEEK_DATA));
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    T(lseek(dir, 0, SEEK_SET));
    int null = open("/dev/null", O_RDWR);
    T(lseek(null, 100, SEEK_SET));
    return 0;
}
