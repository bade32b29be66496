// c_oflag: translations of what is written.
#include "tty.h"

static void writes(const char *flags, const char *text) {
    if (write(slave, text, strlen(text)) != (ssize_t)strlen(text)) perror("write");
    printf("%s ", flags);
    y_shown("shown");
}
#define TRY(flags) do { Y_MODES(m.c_oflag = (flags)); writes(#flags, "a\tbc\rd\ne\b\b\tx\r\ry\n"); } while (0)

int main(void) {
    y_open();
    TRY(0); TRY(OPOST); TRY(OPOST | ONLCR); TRY(ONLCR); TRY(OPOST | OCRNL); TRY(OPOST | ONOCR); TRY(OPOST | ONLRET); TRY(OPOST | XTABS); TRY(OPOST | OLCUC); TRY(OPOST | ONLCR | XTABS | ONOCR);
    TRY(OPOST | OCRNL | ONLCR | ONLRET);
    Y_MODES(m.c_oflag = OPOST | ONLCR);
    y_type("typed\n"); y_shown("echo");
    Y_MODES(m.c_oflag = 0);
    y_type("typed\n"); y_shown("echo");
    return 0;
}
