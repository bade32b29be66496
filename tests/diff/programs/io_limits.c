// Sizes at the borders: zero, huge, many descriptors, long names.
#include "t.h"
#include <sys/resource.h>

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    char b[8], name[260];
    T(write(fd, b, 0));
    T(write(fd, BAD, 0));
    T(read(fd, BAD, 0));
    T(syscall(SYS_write, open("/dev/null", O_WRONLY), NULL, 1ul << 40));
    T(syscall(SYS_read, open("/dev/null", O_RDONLY), NULL, 1ul << 40));
    T(syscall(SYS_read, fd, b, -1L));
    T(syscall(SYS_write, fd, b, -1L));
    T(pwrite(fd, b, 1, LONG_MAX));
    T(pread(fd, b, 1, LONG_MAX));
    T(lseek(fd, LONG_MAX, SEEK_SET));
    T(write(fd, b, 1));
    memset(name, 'n', 255);
    name[255] = 0;
    T(close(open(name, O_CREAT | O_WRONLY, 0644)));
    T(unlink(name));
    name[255] = 'n', name[256] = 0;
    T(open(name, O_CREAT | O_WRONLY, 0644));
    T(mkdir(name, 0755));
    T(symlink("x", name));
    T(rename("file", name));
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 1024;
    T(setrlimit(RLIMIT_NOFILE, &limit));
    int many = 0;
    while (many < 900 && open("file", O_RDONLY) >= 0) many++;
    N(many);
    for (int i = 0; i < 2000; i++) { int d = dup(fd); if (d < 0) break; many++; }
    C(many > 900 && errno == EMFILE);
    T(close(3));
    T(open("file", O_RDONLY));
    T(open("file", O_RDONLY));
    return 0;
}
