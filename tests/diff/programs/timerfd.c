// timerfd: one shot, periodic, absolute, disarm, errors.
#include "t.h"
#include <poll.h>
#include <sys/timerfd.h>

int main(void) {
    struct itimerspec set = {{0, 0}, {0, 20000000}}, old;
    uint64_t n = 0;
    int fd = T(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    T(read(fd, &n, 8));
    T(timerfd_settime(fd, 0, &set, &old));
    N(old.it_value.tv_sec); N(old.it_value.tv_nsec);
    T(timerfd_gettime(fd, &old));
    C(old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
    T(read(fd, &n, 8));
    struct pollfd f = {fd, POLLIN, 0};
    T(poll(&f, 1, 5000)); N(f.revents);
    T(read(fd, &n, 4));
    T(read(fd, &n, 8)); N(n);
    T(poll(&f, 1, 0));
    T(timerfd_gettime(fd, &old));
    N(old.it_value.tv_nsec);
    set.it_interval.tv_nsec = 5000000;
    T(timerfd_settime(fd, 0, &set, NULL));
    T(fcntl(fd, F_SETFL, 0));
    T(read(fd, &n, 8)); C(n >= 1);
    t_sleep_ms(30);
    T(read(fd, &n, 8)); C(n >= 2);
    struct itimerspec off = {{0, 0}, {0, 0}};
    T(timerfd_settime(fd, 0, &off, &old));
    N(old.it_interval.tv_nsec);
    T(poll(&f, 1, 20));
    struct itimerspec past = {{0, 0}, {0, 1}};
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL));
    T(read(fd, &n, 8)); N(n);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int real = T(timerfd_create(CLOCK_REALTIME, 0));
    past.it_value = now;
    past.it_value.tv_sec -= 1;
    T(timerfd_settime(real, TFD_TIMER_ABSTIME, &past, NULL));
    T(read(real, &n, 8)); N(n);
    set.it_value.tv_nsec = 1000000000;
    T(timerfd_settime(fd, 0, &set, NULL));
    set.it_value.tv_nsec = 0, set.it_value.tv_sec = -1;
    T(timerfd_settime(fd, 0, &set, NULL));
    T(syscall(SYS_timerfd_settime, fd, 0, BAD, NULL));
    T(timerfd_settime(fd, 64, &past, NULL));
    T(timerfd_settime(0, 0, &past, NULL));
    T(timerfd_settime(-1, 0, &past, NULL));
    T(timerfd_create(99, 0));
    T(timerfd_create(CLOCK_MONOTONIC, 1));
    T(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    T(write(fd, &n, 8));
    return 0;
}
