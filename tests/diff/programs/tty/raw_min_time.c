// MIN and TIME.
#include "tty.h"

static void set(int min, int time) { Y_MODES(m.c_lflag &= ~(ICANON | ECHO); m.c_iflag = 0; m.c_cc[VMIN] = min; m.c_cc[VTIME] = time); }
static int readable(void) { struct pollfd p = {.fd = slave, .events = POLLIN}; return poll(&p, 1, 0); }
static void reads(const char *what, size_t size) {
    char buffer[300];
    y_escaped(what, buffer, read(slave, buffer, size));
}
static void *typist(void *text) {
    for (const char *c = text; *c; c++) { t_sleep_ms(20); if (write(master, c, 1) != 1) break; }
    return NULL;
}
static void slowly(const char *what, char *text, size_t size) {
    pthread_t t;
    pthread_create(&t, NULL, typist, text);
    reads(what, size);
    pthread_join(t, NULL);
    y_read("rest", slave, 100);
}

int main(void) {
    y_open();
    set(1, 0);
    y_type("abc"); N(readable()); reads("1 0", 100);
    y_type("\x03\x04\x7f\n\r"); reads("specials are none", 100);
    set(0, 0);
    N(readable()); reads("0 0 empty", 100);
    y_type("ab"); reads("0 0", 100);
    set(3, 0);
    y_type("ab"); N(readable()); y_type("c"); N(readable()); reads("3 0", 100);
    slowly("3 0 slowly", "abcde", 100);
    y_type("abcdef"); reads("3 0, 2", 2); reads("3 0, 2", 2); reads("rest", 2);
    set(0, 1);
    N(readable()); reads("0 1 empty", 100);
    slowly("0 5", "x", 100);
    set(4, 3);
    slowly("4 3", "ab", 100);
    slowly("4 3 all", "abcd", 100);
    y_type("a"); N(readable());
    reads("4 3 one", 100);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    reads("nonblocking", 100);
    set(0, 0); reads("nonblocking 0 0", 100);
    set(5, 0); y_type("ab"); reads("nonblocking 5 0", 100);
    // What waits when the modes change.
    set(1, 0);
    y_type("raw\rwaits");
    Y_MODES(m.c_lflag |= ICANON);
    reads("became a line", 100); reads("then", 100);
    y_type("line\nhalf");
    set(1, 0);
    reads("became raw", 100);
    return 0;
}
