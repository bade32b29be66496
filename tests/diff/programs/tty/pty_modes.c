// The modes of a fresh terminal, and how they are kept.
#include "tty.h"

static void show(int fd) {
    struct termios m;
    tcgetattr(fd, &m);
    printf("%o %o %o %o %d:", m.c_iflag, m.c_oflag, m.c_cflag & ~CBAUD, m.c_lflag, m.c_line);
    for (int i = 0; i < 17; i++) printf(" %d", m.c_cc[i]);
    printf(" speed %d\n", cfgetospeed(&m) == B38400);
}

int main(void) {
    y_open();
    show(slave); show(master);
    struct termios m;
    tcgetattr(slave, &m);
    cfmakeraw(&m);
    m.c_cflag = CS5 | PARENB;
    T(tcsetattr(slave, TCSADRAIN, &m));
    show(slave);
    m.c_iflag = ~0u, m.c_oflag = ~0u, m.c_lflag = ISIG;
    T(tcsetattr(master, TCSAFLUSH, &m));
    show(slave);
    return 0;
}
