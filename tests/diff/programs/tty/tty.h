// Pseudo-terminals: a master and the program's end, and what comes out of either.
#include "../fork/job.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int master = -1, slave = -1;

// A pair whose program's end is open, and nobody's controlling terminal.
static inline void y_open(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) perror("pty"), exit(99);
    char name[64];
    if (ptsname_r(master, name, sizeof name)) perror("ptsname"), exit(99);
    slave = open(name, O_RDWR | O_NOCTTY);
    if (slave < 0) perror(name), exit(99);
}

static inline void y_escaped(const char *what, const char *bytes, ssize_t n) {
    if (n < 0) { printf("%s: %s\n", what, t_name(errno)); return; }
    printf("%s: %zd \"", what, n);
    for (ssize_t i = 0; i < n; i++) {
        unsigned char c = bytes[i];
        if (c == '\\' || c == '"') printf("\\%c", c);
        else if (c >= 32 && c < 127) putchar(c);
        else printf("\\%03o", c);
    }
    puts("\"");
}

// Reads what is there within a moment; nothing is "nothing".
static inline void y_read(const char *what, int fd, size_t size) {
    char buffer[9000];
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    int ready = poll(&poller, 1, 40);
    if (ready == 0) { printf("%s: nothing\n", what); return; }
    y_escaped(what, buffer, read(fd, buffer, size < sizeof buffer ? size : sizeof buffer));
}

// All that the master has to show, in one piece however it came.
static inline void y_shown(const char *what) {
    char buffer[9000];
    ssize_t have = 0, n;
    struct pollfd poller = {.fd = master, .events = POLLIN};
    while (have < (ssize_t)sizeof buffer && poll(&poller, 1, 40) == 1 && poller.revents & POLLIN && (n = read(master, buffer + have, sizeof buffer - have)) > 0) have += n;
    y_escaped(what, buffer, have);
}

// Types, and waits until the line discipline has seen it.
static inline void y_type(const char *text) {
    if (write(master, text, strlen(text)) != (ssize_t)strlen(text)) perror("type"), exit(99);
    t_sleep_ms(5);
}

#define Y_MODES(change)                                                                                                \
    do {                                                                                                               \
        struct termios m;                                                                                              \
        tcgetattr(slave, &m);                                                                                          \
        change;                                                                                                        \
        if (tcsetattr(slave, TCSANOW, &m)) perror("tcsetattr"), exit(99);                                              \
    } while (0)
