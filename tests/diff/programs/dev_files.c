// /dev/null, zero, full, urandom.
#include "t.h"

int main(void) {
    char b[64], zero[64] = {0}, c[64];
    int null = T(open("/dev/null", O_RDWR)), z = T(open("/dev/zero", O_RDWR)), u = T(open("/dev/urandom", O_RDONLY)), f = T(open("/dev/full", O_RDWR));
    T(read(null, b, 64));
    T(write(null, b, 64));
    T(write(null, NULL, 64));
    memset(b, 1, 64);
    T(read(z, b, 64));
    T(memcmp(b, zero, 64));
    T(write(z, b, 64));
    T(read(z, BAD, 64));
    memset(b, 0, 64);
    T(read(u, b, 64));
    T(read(u, c, 64));
    C(memcmp(b, zero, 64) != 0 && memcmp(b, c, 64) != 0);
    T(read(u, b, 0));
    T(write(f, b, 1));
    T(read(f, b, 64));
    T(memcmp(b, zero, 64));
    T(lseek(null, 10, SEEK_SET));
    T(pread(z, b, 4, 100));
    T(ftruncate(null, 0));
    T(truncate("/dev/null", 0));
    T(open("/dev/null", O_RDONLY | O_DIRECTORY));
    T(open("/dev/null/x", O_RDONLY));
    T(close(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644)));
    T(isatty(null));
    T(fsync(null));
    struct stat st;
    T(fstat(u, &st));
    C(S_ISCHR(st.st_mode) && st.st_rdev == 0x109);
    char *p = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, z, 0));
    N(p[0]);
    P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, null, 0));
    struct iovec v[2] = {{b, 10}, {c, 10}};
    T(readv(z, v, 2));
    T(writev(null, v, 2));
    return 0;
}
