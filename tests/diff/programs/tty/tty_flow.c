// ^S and ^Q, IXANY, tcflow.
#include "tty.h"

static int writable(void) { struct pollfd p = {.fd = slave, .events = POLLOUT}; return poll(&p, 1, 0); }

int main(void) {
    y_open();
    fcntl(slave, F_SETFL, O_NONBLOCK);
    y_type("\x13");
    N(writable()); T(write(slave, "held", 4)); y_shown("stopped");
    y_type("x"); y_shown("typed while stopped");
    y_type("\x11"); y_shown("started"); N(writable());
    T(write(slave, "free", 4)); y_shown("free");
    Y_MODES(m.c_iflag |= IXANY);
    y_type("\x13"); N(writable()); y_type("y"); N(writable()); y_shown("any key");
    y_type("\n"); y_read("read", slave, 100);
    Y_MODES(m.c_iflag &= ~(IXON | IXANY));
    y_type("a\x13" "b\x11\n"); y_shown("no IXON"); y_read("read", slave, 100);
    T(tcflow(slave, TCOOFF)); N(writable()); T(tcflow(slave, TCOON)); N(writable());
    T(tcflow(slave, TCIOFF)); y_shown("stop character"); T(tcflow(slave, TCION)); y_shown("start character");
    y_type("gone\n"); T(tcflush(slave, TCIFLUSH)); y_read("flushed", slave, 100);
    return 0;
}
