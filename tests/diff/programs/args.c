// Arguments, environment and the auxiliary vector.
// diff: args=one two --three=3 x; env=RKT_A=alpha RKT_B=
#include "t.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv) {
    char **end = environ;
    unsigned long hardware = 0;
    while (*end++) {}
    for (Elf64_auxv_t *a = (void *)end; a->a_type != AT_NULL; a++) // glibc's getauxval has its own AT_HWCAP
        if (a->a_type == AT_HWCAP) hardware = a->a_un.a_val;
    N(argc);
    for (int i = 1; i < argc; i++) S(argv[i]);
    C(argv[argc] == NULL);
    C(argv[0][0] == '/');
    S(getenv("RKT_A")); S(getenv("RKT_B"));
    C(getenv("RKT_C") == NULL);
    T(setenv("RKT_C", "new", 0));
    S(getenv("RKT_C"));
    T(unsetenv("RKT_A"));
    C(getenv("RKT_A") == NULL);
    N(getauxval(AT_PAGESZ)); N(getauxval(AT_CLKTCK)); N(getauxval(AT_SECURE)); N(getauxval(AT_UID)); N(getauxval(AT_EUID));
    N(getauxval(AT_PHENT)); N(getauxval(AT_FLAGS));
    C(getauxval(AT_RANDOM) != 0 && getauxval(AT_PHDR) != 0 && getauxval(AT_PHNUM) > 3 && getauxval(AT_ENTRY) != 0);
    S((char *)getauxval(AT_PLATFORM));
    C(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
    unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
    int zeros = 0;
    for (int i = 0; i < 16; i++) zeros += random[i] == 0;
    C(zeros < 8);
    C(hardware & 1 << 26); // SSE2, as CPUID has it
    // The stack at start: argc, argv, environment, auxiliary vector, one behind the other.
    C(((long *)argv)[-1] == argc);
    C((uintptr_t)(argv - 1) % 16 == 0);
    return 0;
}
