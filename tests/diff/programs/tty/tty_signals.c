// ISIG: typed signals reach the foreground, flush, and echo.
// diff: cpus=2
#include "tty.h"

static volatile sig_atomic_t last;
static void on(int s) { last = s; }
static void await_signal(const char *what) {
    for (int i = 0; i < 3000 && !last; i++) t_sleep_ms(1);
    printf("%s: signal %d\n", what, (int)last);
    last = 0;
}

static int session(void) {
    setsid();
    T(ioctl(slave, TIOCSCTTY, 0));
    for (int s = SIGINT; s <= SIGQUIT; s++) signal(s, on);
    signal(SIGTSTP, on), signal(SIGWINCH, on);
    y_type("lost\x03"); await_signal("^C"); y_shown("shown"); y_read("read", slave, 100);
    y_type("\x1c"); await_signal("^\\"); y_type("\x1a"); await_signal("^Z"); y_shown("shown");
    Y_MODES(m.c_lflag |= NOFLSH);
    y_type("kept\x03\n"); await_signal("NOFLSH"); y_shown("shown"); y_read("read", slave, 100);
    Y_MODES(m.c_lflag &= ~ISIG);
    y_type("\x03\n"); y_read("no ISIG", slave, 100); N(last);
    Y_MODES(m.c_lflag |= ISIG; m.c_cc[VINTR] = '!');
    y_type("\x03!"); await_signal("other INTR");
    struct winsize w = {10, 20, 0, 0};
    T(ioctl(master, TIOCSWINSZ, &w)); await_signal("size");
    T(ioctl(master, TIOCSWINSZ, &w)); t_sleep_ms(20); N(last);
    T(ioctl(master, TIOCSIG, SIGINT)); await_signal("TIOCSIG"); T(ioctl(master, TIOCSIG, SIGTERM));
    return 0;
}

int main(void) {
    y_open();
    y_type("\x03"); // nobody's foreground
    J(session);
    return 0;
}
