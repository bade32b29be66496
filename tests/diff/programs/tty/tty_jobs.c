// Controlling terminals and the background: who may read, write and change.
// diff: cpus=2
#include "tty.h"

static int reads(void) { char c; return read(slave, &c, 1) == 1 ? 40 : errno == EIO ? 41 : 42; }
static int writes(void) { return write(slave, "x", 1) == 1 ? 43 : 44; }
static int changes(void) { struct termios m; tcgetattr(slave, &m); return tcsetattr(slave, TCSANOW, &m) ? 45 : 46; }
static int takes(void) { return tcsetpgrp(slave, getpgrp()) ? 47 : 48; }
static int ignoring_read(void) { signal(SIGTTIN, SIG_IGN); return reads(); }
static int ignoring_change(void) { signal(SIGTTOU, SIG_IGN); return changes(); }
static int taker(void) { signal(SIGTTOU, SIG_IGN); return takes(); }
static int queries(void) { T(tcgetpgrp(slave) == getppid()); T(tcgetsid(slave) == getsid(0)); return 0; }
static void background(const char *what, int (*run)(void)) {
    int p[2];
    pipe(p);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { setpgid(0, 0); j_await(p[0]); int code = run(); fflush(stdout); _exit(code); }
    setpgid(pid, pid);
    j_tell(p[1]);
    int status;
    waitpid(pid, &status, WUNTRACED);
    j_status(what, status);
    if (WIFSTOPPED(status)) { kill(pid, SIGKILL); waitpid(pid, &status, 0); }
    close(p[0]), close(p[1]);
}

static int session(void) {
    setsid();
    T(tcgetpgrp(slave)); T(open("/dev/tty", O_RDWR));
    T(ioctl(slave, TIOCNOTTY));
    T(ioctl(slave, TIOCSCTTY, 0));
    T(ioctl(slave, TIOCSCTTY, 0));
    C(tcgetpgrp(slave) == getpgrp()); C(tcgetsid(slave) == getpid()); C(tcgetpgrp(master) == getpgrp());
    int own = open("/dev/tty", O_RDWR);
    C(own >= 0);
    write(own, "own\n", 4); y_shown("own");
    background("reads", reads); background("writes", writes); background("changes", changes); background("takes", takes); background("queries", queries);
    background("ignoring reads", ignoring_read); background("ignoring changes", ignoring_change);
    Y_MODES(m.c_lflag |= TOSTOP);
    background("writes with TOSTOP", writes);
    T(tcsetpgrp(slave, getpid())); T(tcsetpgrp(slave, 1 << 22)); T(tcsetpgrp(slave, -1));
    T(tcsetpgrp(slave, getppid()));
    background("taker", taker);
    signal(SIGTTOU, SIG_IGN);
    T(tcsetpgrp(slave, getpgrp()));
    C(tcgetpgrp(slave) == getpgrp());
    T(ioctl(slave, TIOCNOTTY)); // and everybody in the foreground hears of it
    return 1;
}
static int hup_dies(void) { return session(); }
static int hears(void) { signal(SIGHUP, SIG_IGN); return session(); }
static int no_leader(void) { return ioctl(slave, TIOCSCTTY, 0) ? errno == EPERM ? 50 : 51 : 52; }
static int second(void) {
    setsid();
    T(ioctl(slave, TIOCSCTTY, 0)); // taken
    close(open(ptsname(master), O_RDWR)); // does not take it either
    T(open("/dev/tty", O_RDWR));
    return 0;
}
static int first(void) {
    setsid();
    int fd = open(ptsname(master), O_RDWR); // without O_NOCTTY
    C(tcgetsid(fd) == getpid());
    J(second);
    return 0;
}

int main(void) {
    y_open();
    J(hup_dies);
    J(hears);
    J(no_leader);
    y_open();
    J(first);
    return 0;
}
