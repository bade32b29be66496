// Modes that are locked against change, carrier detection, and what either end tells of the line.
// diff: libc=glibc
#include "../t.h"
#include <asm/termbits.h>
#include <sys/ioctl.h>
static void show(int fd) {
    struct termios t;
    if (ioctl(fd, TCGETS, &t)) { printf("%s\n", t_name(errno)); return; }
    printf("%x %x %x %x: %d %d %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc[VINTR], t.c_cc[VQUIT], t.c_cc[VMIN]);
}
int main(void) {
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, number, on;
    ioctl(m, TIOCSPTLCK, &unlocked);
    ioctl(m, TIOCGPTN, &number);
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    int s = open(path, O_RDWR | O_NOCTTY);
    struct termios t, lock;
    memset(&lock, 1, sizeof lock);
    T(ioctl(s, TIOCGLCKTRMIOS, &lock)); N(lock.c_iflag | lock.c_oflag | lock.c_cflag | lock.c_lflag | lock.c_cc[VINTR]);
    lock.c_lflag = ECHO; lock.c_oflag = ONLCR; lock.c_cc[VINTR] = 1;
    T(ioctl(s, TIOCSLCKTRMIOS, &lock));
    ioctl(s, TCGETS, &t);
    t.c_lflag &= ~(ECHO | ICANON); t.c_oflag = 0; t.c_cc[VINTR] = 9; t.c_cc[VQUIT] = 10;
    T(ioctl(s, TCSETS, &t)); show(s);
    memset(&lock, 0, sizeof lock);
    T(ioctl(m, TIOCGLCKTRMIOS, &lock)); printf("%x %x %d\n", lock.c_lflag, lock.c_oflag, lock.c_cc[VINTR]);
    memset(&lock, 0, sizeof lock);
    T(ioctl(s, TIOCSLCKTRMIOS, &lock)); T(ioctl(s, TCSETS, &t)); show(s);
    T(ioctl(s, TIOCGLCKTRMIOS, BAD)); T(ioctl(s, TIOCSLCKTRMIOS, BAD));

    T(ioctl(s, TIOCGSOFTCAR, &on)); N(on);
    on = 1; T(ioctl(s, TIOCSSOFTCAR, &on)); T(ioctl(s, TIOCGSOFTCAR, &on)); N(on); ioctl(s, TCGETS, &t); N(t.c_cflag & CLOCAL);
    on = 0; T(ioctl(s, TIOCSSOFTCAR, &on)); T(ioctl(s, TIOCGSOFTCAR, &on)); N(on);
    T(ioctl(s, TIOCGSOFTCAR, BAD)); T(ioctl(s, TIOCSSOFTCAR, BAD));
    unsigned here, there;
    T(ioctl(s, TIOCGDEV, &here)); T(ioctl(m, TIOCGDEV, &there)); C(here == there);

    if (setgid(65534) || setuid(65534)) return 1;
    T(ioctl(s, TIOCSLCKTRMIOS, &lock)); T(ioctl(s, TIOCSLCKTRMIOS, BAD)); T(ioctl(s, TIOCGLCKTRMIOS, &lock));
    return 0;
}
