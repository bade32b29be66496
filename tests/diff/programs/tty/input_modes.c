// c_iflag: translations of what is typed.
#include "tty.h"

static void types(const char *what, const char *text) {
    y_type(text);
    printf("%s ", what);
    y_shown("shown");
    y_read("read", slave, 100);
    tcflush(slave, TCIFLUSH);
}
#define TRY(flags) do { Y_MODES(m.c_iflag = (flags)); types(#flags, "a\rb\nC\xe1\xff\n"); } while (0)

int main(void) {
    y_open();
    Y_MODES(m.c_lflag &= ~ICANON);
    TRY(0); TRY(ICRNL); TRY(IGNCR); TRY(INLCR); TRY(INLCR | ICRNL); TRY(INLCR | IGNCR); TRY(ISTRIP); TRY(IUCLC); TRY(PARMRK); TRY(PARMRK | ISTRIP); TRY(BRKINT | IGNBRK | INPCK);
    Y_MODES(m.c_lflag &= ~IEXTEN); TRY(IUCLC);
    Y_MODES(m.c_lflag |= ICANON | IEXTEN);
    TRY(ICRNL); TRY(IGNCR); TRY(INLCR);
    return 0;
}
