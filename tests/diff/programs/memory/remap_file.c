// remap_file_pages(2): other pages of a shared mapping's file; and ranges that reach beyond all memory.
#include "../t.h"
#define R(...) syscall(SYS_remap_file_pages, __VA_ARGS__)
int main(void) {
    t_scratch();
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    char page[PAGE];
    for (int i = 0; i < 4; i++) { memset(page, 'a' + i, PAGE); write(fd, page, PAGE); }
    char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *own = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    char *none = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    T(R(m, PAGE, 0, 3ul, 0)); T(R(m + PAGE, 2 * PAGE, 0, 2ul, 0));
    printf("%c%c%c%c\n", m[0], m[PAGE], m[2 * PAGE], m[3 * PAGE]);
    m[0] = 'X';
    printf("%c\n", m[3 * PAGE]);
    T(R(m + 100, PAGE + 100, 0, 1ul, MAP_NONBLOCK)); printf("%c\n", m[0]);
    T(R(m, PAGE, 1, 0ul, 0)); T(R(m, 0ul, 0, 0ul, 0)); T(R(m, 100ul, 0, 0ul, 0)); T(R(own, PAGE, 0, 0ul, 0)); T(R(m, 100 * PAGE, 0, 0ul, 0));
    T(R(m, PAGE, 0, -1ul, 0)); T(R(m, -PAGE, 0, 0ul, 0)); T(R(BAD, PAGE, 0, 0ul, 0));
    none[0] = 'p'; none[PAGE] = 'q';
    T(R(none, PAGE, 0, 1ul, 0)); printf("%c\n", none[0]);

    // What munmap(2) takes: all addresses that there may be.
    T(munmap(m, -PAGE)); T(munmap((void *)0x7ffffffff000ul, PAGE)); T(munmap((void *)0x7fffffffe000ul, PAGE)); T(munmap((void *)0x7fffffffe000ul, 2 * PAGE));
    T(munmap(m + 1, PAGE)); T(munmap(m, 0)); T(munmap(BAD, PAGE)); T(munmap(0, PAGE));
    int status;
    pid_t child = fork();
    if (!child) { munmap(NULL, 0x7ffffffff000ul); _exit(3); }
    waitpid(child, &status, 0);
    N(WTERMSIG(status));
    return 0;
}
