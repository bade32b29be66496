// Opening pseudo-terminals: locks, names, what stat and the queries tell, both ends' ends.
#include "tty.h"

int main(void) {
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), number = -1, lock = -1;
    C(m >= 0);
    T(ioctl(m, TIOCGPTLCK, &lock)); N(lock);
    char name[64] = "";
    T(ptsname_r(m, name, sizeof name));
    C(strncmp(name, "/dev/pts/", 9) == 0);
    T(ioctl(m, TIOCGPTN, &number)); C(atoi(name + 9) == number);
    T(open(name, O_RDWR | O_NOCTTY));
    T(unlockpt(m));
    int s = open(name, O_RDWR | O_NOCTTY);
    C(s >= 0);
    struct stat a, b;
    fstat(s, &a), stat(name, &b);
    C(S_ISCHR(a.st_mode) && a.st_rdev == b.st_rdev && a.st_ino == b.st_ino && a.st_dev == b.st_dev); N(major(a.st_rdev)); C((int)minor(a.st_rdev) == number);
    N(a.st_mode & 0600);
    fstat(m, &a); N(major(a.st_rdev)); N(minor(a.st_rdev));
    T(isatty(s)); T(isatty(m)); C(strcmp(ttyname(s), name) == 0);
    T(ioctl(s, TIOCGPTN, &number)); T(ioctl(s, TIOCSPTLCK, &number));
    T(ioctl(m, 0x5499, 0)); T(ioctl(s, 0x5499, 0));
    T(tcgetpgrp(s)); T(tcgetsid(s)); T(tcgetpgrp(m)); T(tcgetsid(m));
    T(lseek(s, 0, SEEK_SET)); T(pread(s, name, 1, 0)); T(pwrite(m, "x", 1, 0)); T(ftruncate(s, 0)); T(fsync(s));
    int s2 = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    C(s2 >= 0 && isatty(s2));
    struct winsize w = {1, 2, 3, 4};
    T(ioctl(s, TIOCGWINSZ, &w)); N(w.ws_row + w.ws_col + w.ws_xpixel + w.ws_ypixel);
    w = (struct winsize){24, 80, 640, 480};
    T(ioctl(m, TIOCSWINSZ, &w));
    T(ioctl(s2, TIOCGWINSZ, &w)); N(w.ws_row); N(w.ws_col); N(w.ws_xpixel); N(w.ws_ypixel);
    T(ioctl(s, TIOCGWINSZ, BAD)); T(ioctl(s, TIOCSWINSZ, BAD)); T(ioctl(s, TCGETS, BAD)); T(ioctl(s, TCSETS, BAD));
    int on = -1;
    T(ioctl(s, TIOCEXCL)); T(ioctl(s, TIOCGEXCL, &on)); N(on); T(ioctl(s, TIOCNXCL));
    T(ioctl(s, TIOCGETD, &on)); N(on); on = 99; T(ioctl(s, TIOCSETD, &on) == -1);
    T(ioctl(s, TIOCMGET, &on)); T(ioctl(s, TCSBRK, 1)); T(ioctl(s, TCSBRK, 0)); T(ioctl(s, TCFLSH, 9)); T(ioctl(s, TCXONC, 9));
    close(s2), close(s);
    struct pollfd poller = {.fd = m, .events = POLLIN | POLLOUT};
    T(poll(&poller, 1, 0)); N(poller.revents);
    T(read(m, name, 1));
    s = open(ptsname(m), O_RDWR | O_NOCTTY);
    T(poll(&poller, 1, 0)); N(poller.revents);
    close(m);
    poller = (struct pollfd){.fd = s, .events = POLLIN | POLLOUT};
    T(poll(&poller, 1, 0)); N(poller.revents);
    T(read(s, name, 1)); T(write(s, "x", 1)); T(ioctl(s, TCGETS, BAD)); T(ioctl(s, TIOCGWINSZ, &w));
    return 0;
}
