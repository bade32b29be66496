// Standard input: by line, by byte, to its end, and again.
// diff: stdin=first line\nsecond\n\nlast without end
#include "t.h"
#include <poll.h>

int main(void) {
    char b[64];
    struct pollfd f = {0, POLLIN, 0};
    T(poll(&f, 1, 5000));
    C(f.revents & POLLIN);
    T(read(0, b, 0));
    T(read(0, b, 6)); b[6] = 0; S(b);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(b, sizeof b, stdin)) { b[strcspn(b, "\n")] = 0; S(b); }
    C(feof(stdin));
    T(read(0, b, 1));
    T(read(0, b, 1));
    T(isatty(0)); T(isatty(1)); T(isatty(2));
    T(lseek(0, 0, SEEK_SET));
    T(pread(0, b, 1, 0));
    return 0;
}
