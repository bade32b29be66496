// memfd_create and seals.
#include "t.h"
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif
#define CREATE(name, flags) syscall(SYS_memfd_create, name, flags)

int main(void) {
    int fd = T(CREATE("name", 0));
    char b[8] = "";
    T(write(fd, "in memory", 9));
    T(pread(fd, b, 7, 3)); S(b);
    struct stat st;
    T(fstat(fd, &st));
    N(st.st_size); N(st.st_mode & 07777); N(st.st_nlink);
    char *p = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    p[0] = 'I';
    T(pread(fd, b, 2, 0)); N(b[0]);
    T(fcntl(fd, F_GET_SEALS));
    T(fcntl(fd, F_ADD_SEALS, 2));
    int s = T(CREATE("sealed", 3)); // MFD_CLOEXEC | MFD_ALLOW_SEALING
    T(fcntl(s, F_GETFD));
    T(fcntl(s, F_GET_SEALS));
    T(ftruncate(s, 8192));
    T(fcntl(s, F_ADD_SEALS, 2)); // F_SEAL_SHRINK
    T(ftruncate(s, 4096));
    T(ftruncate(s, 9000));
    T(fcntl(s, F_ADD_SEALS, 4)); // F_SEAL_GROW
    T(ftruncate(s, 10000));
    T(pwrite(s, "x", 1, 9000));
    T(pwrite(s, "x", 1, 8999));
    p = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0));
    T(fcntl(s, F_ADD_SEALS, 8)); // F_SEAL_WRITE, while it is mapped for writing
    munmap(p, PAGE);
    T(fcntl(s, F_ADD_SEALS, 8));
    T(pwrite(s, "x", 1, 0));
    P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0));
    P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, s, 0));
    T(fcntl(s, F_ADD_SEALS, 1)); // F_SEAL_SEAL
    T(fcntl(s, F_ADD_SEALS, 1));
    T(fcntl(s, F_GET_SEALS));
    T(fcntl(s, F_ADD_SEALS, 0x1000));
    T(CREATE("x", 0x8000));
    T(CREATE(BAD, 0));
    char name[300];
    memset(name, 'n', 299); name[299] = 0;
    T(CREATE(name, 0));
    int pipes[2];
    pipe(pipes);
    T(fcntl(pipes[0], F_GET_SEALS));
    return 0;
}
