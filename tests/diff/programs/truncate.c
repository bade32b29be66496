// truncate, ftruncate, fallocate.
#include "t.h"

int main(void) {
    t_scratch();
    struct stat st;
    char b[16];
    int fd = t_file("file", "0123456789"), r = open("file", O_RDONLY);
    mkdir("dir", 0755);
    T(ftruncate(fd, 4));
    t_cat("file");
    T(ftruncate(fd, 8));
    T(pread(fd, b, 16, 0));
    for (int i = 0; i < 8; i++) printf("%d ", b[i]);
    puts("");
    T(truncate("file", 6000));
    fstat(fd, &st); N(st.st_size);
    T(lseek(fd, 0, SEEK_CUR));
    T(ftruncate(fd, -1));
    T(ftruncate(r, 0));
    T(ftruncate(-1, 0));
    T(truncate("missing", 0));
    T(truncate("dir", 0));
    T(truncate("file/x", 0));
    T(truncate("file", -1));
    T(truncate(BAD, 0));
    int p[2];
    pipe(p);
    T(ftruncate(p[1], 0));
    T(fallocate(fd, 0, 0, 10000));
    fstat(fd, &st); N(st.st_size);
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000));
    fstat(fd, &st); N(st.st_size);
    T(pwrite(fd, "abcdefgh", 8, 0));
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
    T(pread(fd, b, 8, 0));
    for (int i = 0; i < 8; i++) printf("%d ", b[i]);
    puts("");
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 3));
    T(fallocate(fd, 0, -1, 10));
    T(fallocate(fd, 0, 0, 0));
    T(fallocate(fd, 0, 0, -5));
    T(fallocate(r, 0, 0, 10));
    T(fallocate(p[1], 0, 0, 10));
    T(fallocate(-1, 0, 0, 10));
    T(fallocate(fd, 0x8000, 0, 10));
    T(posix_fallocate(fd, 0, 12000));
    fstat(fd, &st); N(st.st_size);
    return 0;
}
