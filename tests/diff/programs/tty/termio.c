// The older structure of modes: shown from the newer one, and set into its lower halves.
#include "tty.h"

struct old {
    unsigned short input, output, control, local;
    unsigned char line, characters[8];
};

int main(void) {
    y_open();
    struct old old;
    memset(&old, 0xee, sizeof old);
    T(ioctl(slave, 0x5405, &old)); // TCGETA
    printf("%x %x %x %x line %d size %zu\n", old.input, old.output, old.control, old.local, old.line, sizeof old);
    for (int i = 0; i < 8; i++)
        printf(" %d", old.characters[i]);
    printf("\n");
    struct termios modes;
    tcgetattr(slave, &modes);
    modes.c_iflag |= 0x10000;
    modes.c_lflag |= EXTPROC;
    tcsetattr(slave, TCSANOW, &modes);
    for (int command = 0x5406; command <= 0x5408; command++) { // TCSETA, TCSETAW, TCSETAF
        old.local ^= ECHO;
        old.characters[VINTR] = 'a' + (command & 7);
        T(ioctl(slave, command, &old));
        tcgetattr(slave, &modes);
        printf("local %x intr %d start %d lnext %d\n", modes.c_lflag, modes.c_cc[VINTR], modes.c_cc[VSTART],
               modes.c_cc[VLNEXT]);
    }
    T(ioctl(slave, 0x5405, NULL));
    T(ioctl(slave, 0x5406, NULL));
    T(ioctl(master, 0x5405, &old));
    int fds[2];
    if (pipe(fds) == 0)
        T(ioctl(fds[0], 0x5405, &old));
    return 0;
}
