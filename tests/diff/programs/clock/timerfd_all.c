// timerfd: clocks, flags, absolute times, periods, non-blocking reads, polling, fork and errors.
#include "../t.h"
#include <poll.h>
#include <sys/timerfd.h>

static int ready(int fd, int ms) { struct pollfd p = {fd, POLLIN | POLLOUT, 0}; poll(&p, 1, ms); return p.revents; }
int main(void) {
    for (int c = -2; c < 13; c++) {
        int fd = timerfd_create(c, 0);
        printf("create %d: %s\n", c, fd < 0 ? t_name(errno) : "ok");
        if (fd >= 0) close(fd);
    }
    T(timerfd_create(CLOCK_MONOTONIC, 1));
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    N(fcntl(fd, F_GETFD)); N(fcntl(fd, F_GETFL) & O_NONBLOCK);
    struct itimerspec s = {{0, 0}, {0, 0}}, old;
    uint64_t n = 77;
    T(timerfd_gettime(fd, &old));
    N(old.it_value.tv_sec); N(old.it_value.tv_nsec);
    T(read(fd, &n, 8));
    T(read(fd, &n, 7));
    T(read(fd, BAD, 8));
    T(write(fd, &n, 8));
    T(lseek(fd, 0, SEEK_SET));
    N(ready(fd, 0));
    T(timerfd_settime(fd, 16, &s, NULL));
    T(timerfd_settime(fd, 0, BAD, NULL));
    T(timerfd_settime(0, 0, &s, NULL));
    T(timerfd_settime(-1, 0, &s, NULL));
    T(timerfd_gettime(0, &old));
    T(timerfd_gettime(fd, BAD));
    s = (struct itimerspec){{0, 1000000000}, {0, 1}};
    T(timerfd_settime(fd, 0, &s, NULL));
    s = (struct itimerspec){{0, 0}, {0, -1}};
    T(timerfd_settime(fd, 0, &s, NULL));
    s = (struct itimerspec){{-1, 0}, {1, 0}};
    T(timerfd_settime(fd, 0, &s, NULL));
    s = (struct itimerspec){{5, 0}, {100, 0}};
    T(timerfd_settime(fd, 0, &s, NULL));
    s = (struct itimerspec){{0, 0}, {0, 0}};
    T(timerfd_settime(fd, 0, &s, &old));
    N(old.it_interval.tv_sec); C(old.it_value.tv_sec == 99);
    s = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    T(timerfd_settime(fd, 0, &s, NULL));
    t_sleep_ms(30);
    N(ready(fd, 0));
    T(read(fd, &n, 8)); C(n >= 20);
    // A past absolute time expires at once, and counts all periods since.
    s = (struct itimerspec){{0, 0}, {0, 1}};
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL));
    T(ready(fd, 1000));
    T(read(fd, &n, 8)); N(n);
    T(timerfd_gettime(fd, &old)); N(old.it_value.tv_nsec);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    s = (struct itimerspec){{0, 0}, {now.tv_sec, now.tv_nsec}};
    s.it_value.tv_nsec += 15000000;
    if (s.it_value.tv_nsec > 999999999) { s.it_value.tv_nsec -= 1000000000; s.it_value.tv_sec++; }
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL));
    T(read(fd, &n, 8));
    T(fcntl(fd, F_SETFL, 0));
    T(read(fd, &n, 8)); N(n);
    // Real time, and being told when it is set.
    int wall = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    clock_gettime(CLOCK_REALTIME, &now);
    s = (struct itimerspec){{0, 0}, {now.tv_sec + 100, 0}};
    T(timerfd_settime(wall, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, NULL));
    T(read(wall, &n, 8));
    T(timerfd_gettime(wall, &old)); C(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
    T(timerfd_settime(fd, TFD_TIMER_CANCEL_ON_SET, &s, NULL));
    T(timerfd_settime(wall, TFD_TIMER_CANCEL_ON_SET, &s, NULL));
    int boot = timerfd_create(CLOCK_BOOTTIME, 0);
    s = (struct itimerspec){{0, 0}, {0, 5000000}};
    T(timerfd_settime(boot, 0, &s, NULL));
    T(read(boot, &n, 8)); N(n);
    // Setting it anew forgets what expired.
    T(timerfd_settime(boot, 0, &s, NULL));
    t_sleep_ms(20);
    s.it_value = (struct timespec){50, 0};
    T(timerfd_settime(boot, 0, &s, NULL));
    N(ready(boot, 0));
    // A child shares it.
    s.it_value = (struct timespec){0, 5000000};
    T(timerfd_settime(boot, 0, &s, NULL));
    if (fork() == 0) { T(read(boot, &n, 8)); _exit(0); }
    wait(NULL);
    N(ready(boot, 0));
    return 0;
}
