// MAP_PRIVATE file mappings: writes stay, the tail of the last page is zero, executable copies run.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    char *a = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    N(a[10]); N(a[4095]);
    a[0] = 'A', a[100] = 'x';
    t_cat("file");
    char *b = P(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    N(b[0]); N(b[100]);
    T(pwrite(fd, "new", 3, 3));
    N(a[0]); N(b[3]); // b was never written, so it is still the file
    T(madvise(a, PAGE, MADV_DONTNEED));
    N(a[0]); N(a[3]); N(a[100]);
    int ro = open("file", O_RDONLY);
    char *c = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0));
    c[1] = 'C';
    t_cat("file");
    T(mprotect(b, PAGE, PROT_READ | PROT_WRITE));
    b[9] = 'B';
    t_cat("file");
    char *s = P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0));
    T(mprotect(s, PAGE, PROT_READ | PROT_WRITE));
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret
    int x = open("code", O_RDWR | O_CREAT, 0755);
    write(x, code, sizeof code);
    int (*f)(void) = P(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, x, 0));
    T(f());
    unsigned char *j = P(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (int i = 0; i < 3; i++) {
        memcpy(j, code, sizeof code);
        j[1] = 50 + i;
        T(mprotect(j, PAGE, PROT_READ | PROT_EXEC));
        T(((int (*)(void))j)());
        T(mprotect(j, PAGE, PROT_READ | PROT_WRITE));
    }
    return 0;
}
