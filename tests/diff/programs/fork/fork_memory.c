// After fork private memory is apart, stacks, heap and data alike, and descriptors share their offset.
#include "t.h"

static int data = 1, zero[50000];

int main(void) {
    t_scratch();
    int local = 1, fd = t_file("file", "0123456789"), status;
    int *heap = malloc(1 << 20), *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    heap[1000] = map[1000] = 1;
    lseek(fd, 2, SEEK_SET);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char b[4];
        int ok = data == 1 && local == 1 && heap[1000] == 1 && map[1000] == 1 && zero[49999] == 0;
        data = local = heap[1000] = map[1000] = zero[49999] = file[0] = 7;
        munmap(map + 2048, PAGE);
        read(fd, b, 3);
        fd = -1;
        _exit(ok ? data : 99);
    }
    data = 2, map[2] = 2;
    waitpid(child, &status, 0);
    N(WEXITSTATUS(status));
    N(data); N(local); N(heap[1000]); N(map[1000]); N(map[2]); N(map[2048]); N(zero[49999]);
    C(memcmp(file, "0123", 4) == 0);
    T(lseek(fd, 0, SEEK_CUR));
    return 0;
}
