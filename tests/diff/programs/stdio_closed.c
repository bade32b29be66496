// Standard output closed, duplicated and put back.
#include "t.h"

int main(void) {
    t_scratch();
    int saved = T(dup(1));
    T(fcntl(saved, F_GETFD));
    int file = t_file("out", "");
    fflush(stdout);
    dup2(file, 1);
    puts("into the file");
    fflush(stdout);
    dup2(saved, 1);
    t_cat("out");
    T(close(1));
    C(write(1, "x", 1) == -1 && errno == EBADF); // goes nowhere
    dup2(saved, 1);
    puts("back again");
    dprintf(2, "and to standard error\n");
    T(dup2(1, 2));
    dprintf(2, "which is now standard output\n");
    return 0;
}
