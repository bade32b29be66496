// diff: libc=glibc
// memfd_create and seals.
#include "files.h"
#include <linux/memfd.h>
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 32
#endif
#define ADD 1033
#define GET 1034
static int mem(const char *name, unsigned flags) { return syscall(SYS_memfd_create, name, flags); }

int main(void) {
    f_scratch();
    char name[300], b[8192] = {0}; struct stat s;
    int fd = T(mem("one", 0)); N(fcntl(fd, F_GETFD)); N(fcntl(fd, F_GETFL)); T(fcntl(fd, GET)); T(fcntl(fd, ADD, F_SEAL_WRITE));
    fstat(fd, &s); printf("%o %d %lld\n", s.st_mode, (int)s.st_nlink, (long long)s.st_size);
    sprintf(name, "/proc/self/fd/%d", fd); memset(b, 0, 100); T(readlink(name, b, 99)); puts(b);
    memset(name, 'n', 299); name[299] = 0; T(mem(name, 0)); name[249] = 0; T(mem(name, 0)); name[250] = 0; name[249] = 'n';
    T(mem(name, 0)); T(mem("", 0)); T(mem(BAD, 0)); T(mem("x", 0x100)); T(mem("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    T(mem("a/b", 0)); T(mem("x", 24)); int nx = T(mem("x", 8)); fstat(nx, &s); printf("%o %#x\n", s.st_mode, fcntl(nx, GET));
    T(fchmod(nx, 0777)); int ex = T(mem("x", 16)); fstat(ex, &s); printf("%o %#x\n", s.st_mode, fcntl(ex, GET));
    fd = mem("sealed", MFD_ALLOW_SEALING); N(fcntl(fd, GET)); ftruncate(fd, 4096); write(fd, "text", 4);
    T(fcntl(fd, ADD, 0x100)); T(fcntl(fd, ADD, 0)); T(fcntl(fd, ADD, F_SEAL_SHRINK)); T(ftruncate(fd, 100));
    T(ftruncate(fd, 8192)); T(fcntl(fd, ADD, F_SEAL_GROW)); T(ftruncate(fd, 9000)); T(pwrite(fd, b, 100, 8100));
    T(pwrite(fd, b, 100, 8192)); T(fallocate(fd, 0, 8192, 10)); T(fallocate(fd, 3, 0, 4096)); N(fcntl(fd, GET));
    void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); T(fcntl(fd, ADD, F_SEAL_WRITE));
    T(fcntl(fd, ADD, F_SEAL_FUTURE_WRITE)); T(write(fd, "x", 1)); ((char *)map)[0] = 'y';
    P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)); munmap(map, PAGE); T(fcntl(fd, ADD, F_SEAL_WRITE));
    T(pwrite(fd, "x", 1, 0)); T(write(fd, "", 0)); T(fallocate(fd, 3, 0, 4096));
    P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    void *ro = P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0)); T(mprotect(ro, PAGE, PROT_READ | PROT_WRITE));
    P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)); T(fcntl(fd, ADD, F_SEAL_SEAL));
    T(fcntl(fd, ADD, F_SEAL_SEAL)); T(fcntl(fd, ADD, 0)); N(fcntl(fd, GET)); T(lseek(fd, 0, SEEK_SET)); T(read(fd, b, 4));
    printf("%.4s\n", b);
    fd = mem("ro", MFD_ALLOW_SEALING); ftruncate(fd, 10); sprintf(name, "/proc/self/fd/%d", fd);
    int r = T(open(name, O_RDONLY)); T(fcntl(r, ADD, F_SEAL_WRITE)); N(fcntl(r, GET)); T(write(r, "x", 1));
    int again = T(open(name, O_RDWR | O_TRUNC)); fstat(again, &s); N(s.st_size); T(fcntl(again, ADD, F_SEAL_SHRINK));
    N(fcntl(fd, GET)); T(open(name, O_RDWR | O_TRUNC)); write(fd, "123", 3); T(open(name, O_RDWR | O_TRUNC));
    int file = t_file("f", "x"), pipes[2]; pipe(pipes); T(fcntl(file, GET)); T(fcntl(file, ADD, 1)); T(fcntl(pipes[0], GET));
    T(fcntl(pipes[1], ADD, 1)); T(fcntl(1, GET)); fd = mem("exec", MFD_ALLOW_SEALING); T(fcntl(fd, ADD, F_SEAL_EXEC));
    N(fcntl(fd, GET)); T(fchmod(fd, 0600)); T(fchmod(fd, 0666)); T(fchmod(fd, 0766)); T(link(name, "linked"));
    sprintf(name, "/proc/self/fd/%d", fd); T(linkat(AT_FDCWD, name, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    return 0;
}
