// MAP_SHARED file mappings are the file: reads, writes, two mappings, truncation, closing.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    ftruncate(fd, 3 * PAGE);
    char *a = P(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *b = P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    char buffer[16] = "";
    T(pwrite(fd, "written", 7, 0));
    T(memcmp(a, "written789", 10));
    T(memcmp(b, "written789", 10));
    memcpy(a + 2, "MAPPED", 6);
    T(pread(fd, buffer, 10, 0)); S(buffer);
    T(memcmp(b, a, PAGE));
    a[2 * PAGE] = 'z';
    T(pread(fd, buffer, 1, 2 * PAGE)); N(buffer[0]);
    char *c = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PAGE));
    N(c[0]);
    c[1] = 'y';
    N(a[2 * PAGE + 1]);
    T(msync(a, 3 * PAGE, MS_SYNC));
    T(msync(a, 3 * PAGE, MS_ASYNC));
    T(msync(a, PAGE, MS_SYNC | MS_ASYNC));
    T(msync(a + 1, PAGE, MS_SYNC));
    T(msync(a, PAGE, 64));
    T(close(fd));
    a[5] = '!';
    fd = open("file", O_RDONLY);
    T(pread(fd, buffer, 10, 0)); S(buffer);
    close(fd);
    fd = open("file", O_RDWR);
    T(ftruncate(fd, PAGE + 10));
    T(ftruncate(fd, 3 * PAGE));
    N(a[2 * PAGE]); // cut off and grown again: zero
    N(c[1]);
    a[PAGE + 10] = 'q';
    T(pread(fd, buffer, 1, PAGE + 10)); N(buffer[0]);
    T(unlink("file"));
    a[0] = 'u';
    N(b[0]);
    T(munmap(a, 3 * PAGE));
    T(msync(a, PAGE, MS_SYNC));
    N(b[0]);
    T(fsync(fd));
    T(fdatasync(fd));
    return 0;
}
