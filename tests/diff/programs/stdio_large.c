// A megabyte to standard output by stdio, then by write in odd pieces; standard error in between.
#include "t.h"

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 65536);
    for (int i = 0; i < 65536; i++) printf("line %010d\n", i);
    fflush(stdout);
    fprintf(stderr, "half way\n");
    static char b[10007];
    for (int i = 0; i < 100; i++) {
        memset(b, 'a' + i % 26, sizeof b);
        b[sizeof b - 1] = '\n';
        for (size_t done = 0; done < sizeof b;) {
            long n = write(1, b + done, sizeof b - done);
            if (n <= 0) return 1;
            done += n;
        }
    }
    fprintf(stderr, "done\n");
    return 3;
}
