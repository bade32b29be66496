// MAP_SHARED memory is one, anonymous or of a file; futexes in it cross processes.
// diff: cpus=2
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("file", ""), status;
    ftruncate(fd, PAGE);
    atomic_int *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_int *f = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10000; i++) { atomic_fetch_add(a, 1); atomic_fetch_add(f, 2); }
        while (a[1] == 0) syscall(SYS_futex, a + 1, 0, 0, NULL, NULL, 0L);
        a[2] = a[1] + 1;
        syscall(SYS_futex, a + 2, 1, 1, NULL, NULL, 0L);
        _exit(0);
    }
    for (int i = 0; i < 10000; i++) { atomic_fetch_add(a, 1); atomic_fetch_add(f, 2); }
    a[1] = 41;
    syscall(SYS_futex, a + 1, 1, 1, NULL, NULL, 0L);
    while (a[2] == 0) syscall(SYS_futex, a + 2, 0, 0, NULL, NULL, 0L);
    N(a[2]);
    waitpid(child, &status, 0);
    N(a[0]); N(f[0]);
    int value = 0;
    T(pread(fd, &value, 4, 0)); N(value);
    return 0;
}
