// Futexes in shared mappings are the memory, not the address: two mappings of one file, one word.
// diff: cpus=2
#include "t.h"

static atomic_int *one, *two;
static void *waiter(void *unused) {
    while (*one == 0) syscall(SYS_futex, one, 0, 0, NULL, NULL, 0L);
    return unused;
}

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    ftruncate(fd, PAGE);
    one = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    two = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_t t;
    pthread_create(&t, NULL, waiter, NULL);
    t_sleep_ms(50);
    *two = 1;
    T(syscall(SYS_futex, two, 129, 1, NULL, NULL, 0L)); // private: another futex
    T(syscall(SYS_futex, two, 1, 1, NULL, NULL, 0L));
    pthread_join(t, NULL);
    puts("woken through the other mapping");
    return 0;
}
