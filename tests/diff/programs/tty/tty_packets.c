// Packet mode.
#include "tty.h"

int main(void) {
    y_open();
    int on = -1;
    T(ioctl(master, TIOCGPKT, &on)); N(on);
    on = 1;
    T(ioctl(master, TIOCPKT, &on)); T(ioctl(slave, TIOCPKT, &on));
    T(ioctl(master, TIOCGPKT, &on)); N(on);
    write(slave, "data", 4); y_read("data", master, 100);
    write(slave, "long", 4); y_read("small", master, 3); y_read("rest", master, 100);
    tcflush(slave, TCIFLUSH); y_read("input flushed", master, 100);
    tcflush(slave, TCOFLUSH); y_read("output flushed", master, 100);
    tcflow(slave, TCOOFF); struct pollfd p = {.fd = master, .events = POLLIN | POLLPRI}; T(poll(&p, 1, 0)); N(p.revents); y_read("stopped", master, 100);
    tcflow(slave, TCOON); y_read("started", master, 100);
    Y_MODES(m.c_iflag &= ~IXON); y_read("no stop", master, 100);
    Y_MODES(m.c_iflag |= IXON); y_read("do stop", master, 100);
    Y_MODES(m.c_cc[VSTOP] = 'x'); y_read("no stop", master, 100);
    on = 0;
    T(ioctl(master, TIOCPKT, &on));
    write(slave, "plain", 5); y_read("plain", master, 100);
    return 0;
}
