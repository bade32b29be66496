// poll on both ends of a pipe through its states.
#include "t.h"
#include <poll.h>

static void show(const char *what, int r, int w) {
    struct pollfd f[2] = {{r, POLLIN | POLLRDHUP, 0}, {w, POLLOUT, 0}};
    int n = poll(f, 2, 0);
    printf("%s: %d r %x w %x\n", what, n, f[0].revents, f[1].revents);
}

int main(void) {
    int p[2];
    static char data[65536];
    pipe2(p, O_NONBLOCK);
    show("empty", p[0], p[1]);
    write(p[1], "x", 1);
    show("one byte", p[0], p[1]);
    T(write(p[1], data, sizeof data));
    show("full", p[0], p[1]);
    read(p[0], data, 4095);
    show("page partly read", p[0], p[1]);
    read(p[0], data, 1);
    show("page free", p[0], p[1]);
    int w = p[1];
    while (read(p[0], data, sizeof data) > 0) {}
    write(w, "tail", 4);
    close(w);
    show("writer gone, data left", p[0], -1);
    read(p[0], data, 100);
    show("writer gone, empty", p[0], -1);
    pipe2(p, O_NONBLOCK);
    close(p[0]);
    show("reader gone", -1, p[1]);
    pipe2(p, O_NONBLOCK);
    while (write(p[1], data, sizeof data) > 0) {}
    close(p[0]);
    show("reader gone, full", -1, p[1]);
    show("closed descriptors", p[0], 999);
    return 0;
}
