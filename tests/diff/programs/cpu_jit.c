// Code that is made, run, and made anew at the same place, with calls at other offsets; and text that is read as the file has it.
// diff: cpus=2
#include "t.h"

static int emit(unsigned char *at, int nops, int number) {
    int n = 0;
    while (n < nops) at[n++] = 0x90;
    unsigned char body[] = {0xb8, number, 0, 0, 0, 0x0f, 0x05, 0xc3}; // mov eax, number; syscall; ret
    memcpy(at + n, body, sizeof body);
    return n + sizeof body;
}
static void *maker(void *wrong) {
    unsigned char *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 500; i++) {
        emit(code, i % 11, i % 3 ? SYS_getuid : SYS_getpid);
        int got = ((int (*)(void))code)();
        if (got != (i % 3 ? 0 : getpid())) atomic_fetch_add((atomic_int *)wrong, 1);
    }
    return NULL;
}

int main(void) {
    t_scratch();
    atomic_int wrong = 0;
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, maker, &wrong);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    N(wrong);
    // A file of code: after it has run, the file and other mappings of it are what was written.
    unsigned char text[64], seen[64] = {0};
    int size = emit(text, 5, SYS_getuid), fd = open("code", O_RDWR | O_CREAT, 0755);
    write(fd, text, size);
    unsigned char *run = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    for (int i = 0; i < 3; i++) N(((int (*)(void))run)());
    T(pread(fd, seen, sizeof seen, 0) == size);
    T(memcmp(seen, text, size));
    unsigned char *other = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    T(memcmp(other, text, size));
    T(memcmp(shared, text, size));
    // The same code mapped elsewhere runs too, and after mprotect it may be changed.
    unsigned char *again = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    N(((int (*)(void))again)());
    T(mprotect(again, PAGE, PROT_READ | PROT_WRITE));
    emit(again, 2, SYS_getgid);
    T(mprotect(again, PAGE, PROT_READ | PROT_EXEC));
    N(((int (*)(void))again)());
    T(munmap(run, PAGE));
    P(mmap(run, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    emit(run, 0, SYS_geteuid);
    N(((int (*)(void))run)());
    // A jump into the middle: the two bytes of the call are a target of their own.
    long rax = SYS_getegid;
    __asm__ volatile("call *%1" : "+a"(rax) : "r"(run + 5) : "rcx", "r11", "memory");
    N(rax);
    return 0;
}
