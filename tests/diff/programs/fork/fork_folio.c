// A file's memory mapped in parent and child, private memory apart, kernel state in common; the
// dead child is reaped, and what it mapped is free again: all files together are larger than memory.
// diff: timeout=60
#include "t.h"
#include <sys/mman.h>
#include <sys/wait.h>

#define FILE_LEN (1 << 20)
#define ROUNDS 1200

static char private_byte = 'p';

static void round_trip(int show) {
    int fd = open("folio", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *shared = MAP_FAILED;
    if (fd < 0 || ftruncate(fd, FILE_LEN) != 0 ||
        (shared = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
        printf("no memory: %d\n", errno);
        exit(1);
    }
    memset(shared, 's', FILE_LEN);
    unlink("folio");
    pid_t child = fork();
    if (child == 0) {
        shared[FILE_LEN - 1] = 'c';
        private_byte = 'c';
        _exit(write(fd, "child", 5) == 5 && shared[0] == 'c' ? 7 : 8);
    }
    int status = 0;
    pid_t waited = waitpid(child, &status, 0);
    if (show) {
        printf("reaped %d, status %d\n", waited == child, WEXITSTATUS(status));
        printf("shared %c%c, private %c, offset %ld\n", shared[0], shared[FILE_LEN - 1], private_byte,
               (long)lseek(fd, 0, SEEK_CUR));
    }
    if (child < 0 || WEXITSTATUS(status) != 7) {
        printf("child: %d, errno %d\n", WEXITSTATUS(status), errno);
        exit(1);
    }
    munmap(shared, FILE_LEN);
    close(fd);
}

int main(void) {
    t_scratch();
    for (int i = 0; i < ROUNDS; i++)
        round_trip(i == 0);
    T(waitpid(-1, NULL, 0));
    return 0;
}
