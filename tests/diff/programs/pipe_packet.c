// O_DIRECT pipes carry packets: a read takes one, and what does not fit is lost.
#include "t.h"

int main(void) {
    int p[2];
    char b[16] = "", big[5000] = "";
    T(pipe2(p, O_DIRECT | O_NONBLOCK));
    T(fcntl(p[1], F_GETFL) & O_DIRECT ? 1 : 0);
    T(write(p[1], "one", 3));
    T(write(p[1], "four", 4));
    T(write(p[1], "seventh", 7));
    T(write(p[1], "", 0));
    T(read(p[0], b, sizeof b));
    T(read(p[0], b, 2));
    T(read(p[0], b, sizeof b));
    T(read(p[0], b, sizeof b));
    T(write(p[1], big, sizeof big)); // split at a page
    T(read(p[0], big, sizeof big));
    T(read(p[0], big, sizeof big));
    int n = 0;
    while (write(p[1], "x", 1) == 1) n++;
    N(n); // a packet takes a buffer of its own
    return 0;
}
