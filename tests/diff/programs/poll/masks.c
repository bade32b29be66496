// ppoll, pselect6, poll and select: signal masks, timeouts that are written back, errors.
#include "../t.h"
#include <poll.h>
#include <sys/select.h>
static volatile int got;
static void handler(int s) { got = s; }
static void soon(void) { struct itimerval v = {{0, 0}, {0, 20000}}; setitimer(ITIMER_REAL, &v, NULL); }
int main(void) {
    int p[2];
    pipe(p);
    struct pollfd f = {p[0], POLLIN, 0};
    sigset_t none, alarm_set;
    sigemptyset(&none);
    sigemptyset(&alarm_set);
    sigaddset(&alarm_set, SIGALRM);
    t_handle(SIGALRM, handler, SA_RESTART);
    soon();
    T(poll(&f, 1, -1)); N(got);
    got = 0;
    sigprocmask(SIG_BLOCK, &alarm_set, NULL);
    soon();
    struct timespec t = {0, 60000000};
    T(syscall(SYS_ppoll, &f, 1, &t, NULL, 8L)); N(got); // blocked: runs out
    C(t.tv_sec == 0 && t.tv_nsec == 0);
    t = (struct timespec){5, 0};
    T(syscall(SYS_ppoll, &f, 1, &t, &none, 8L)); N(got); // pending: taken at once
    C(t.tv_sec >= 4);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    C(sigismember(&now, SIGALRM) == 1);
    got = 0;
    soon();
    t = (struct timespec){5, 0};
    fd_set r;
    FD_ZERO(&r); FD_SET(p[0], &r);
    struct { const sigset_t *set; size_t size; } m = {&none, 8};
    T(syscall(SYS_pselect6, p[0] + 1, &r, NULL, NULL, &t, &m)); N(got);
    C(t.tv_sec == 4);
    C(FD_ISSET(p[0], &r) != 0); // left as it was
    m.size = 4;
    T(syscall(SYS_pselect6, p[0] + 1, &r, NULL, NULL, &t, &m));
    T(syscall(SYS_pselect6, p[0] + 1, &r, NULL, NULL, &t, BAD));
    m.set = BAD; m.size = 8;
    T(syscall(SYS_pselect6, p[0] + 1, &r, NULL, NULL, &t, &m));
    T(syscall(SYS_ppoll, &f, 1, &t, &none, 4L));
    t = (struct timespec){0, -1};
    T(syscall(SYS_ppoll, &f, 1, &t, NULL, 8L));
    t = (struct timespec){-1, 0};
    T(syscall(SYS_ppoll, &f, 1, &t, NULL, 8L));
    T(syscall(SYS_ppoll, BAD, 1, &t, NULL, 8L));
    t = (struct timespec){0, 0};
    T(syscall(SYS_ppoll, BAD, 1, &t, NULL, 8L));
    T(syscall(SYS_ppoll, BAD, 0, &t, NULL, 8L));
    T(poll(NULL, 1u << 30, 0));
    // poll's special numbers and events.
    struct pollfd many[4] = {{-1, POLLIN, 7}, {99, POLLIN, 0}, {p[1], POLLOUT, 0}, {p[0], 0, 0}};
    T(poll(many, 4, 0));
    for (int i = 0; i < 4; i++) printf("%d ", many[i].revents);
    puts("");
    close(p[1]);
    many[3].revents = 0;
    T(poll(&many[3], 1, 0)); N(many[3].revents);
    // select.
    struct timeval v = {0, 1000000 - 1}, big = {0, 5000000};
    FD_ZERO(&r); FD_SET(p[0], &r);
    T(select(p[0] + 1, &r, NULL, NULL, &v));
    FD_ZERO(&r);
    v = (struct timeval){0, 3000};
    T(select(0, NULL, NULL, NULL, &v)); N(v.tv_usec);
    FD_SET(p[0], &r);
    T(select(p[0] + 1, &r, NULL, NULL, &big)); // microseconds may be more than a second
    v = (struct timeval){-1, 0};
    T(select(p[0] + 1, &r, NULL, NULL, &v));
    v = (struct timeval){0, -1};
    T(select(p[0] + 1, &r, NULL, NULL, &v));
    T(select(-1, NULL, NULL, NULL, NULL));
    v = (struct timeval){0, 0};
    FD_ZERO(&r); FD_SET(40, &r);
    T(syscall(SYS_select, 41, &r, NULL, NULL, &v));
    T(syscall(SYS_select, 64, BAD, NULL, NULL, &v));
    T(syscall(SYS_select, 1, NULL, NULL, NULL, BAD));
    FD_ZERO(&r);
    T(syscall(SYS_select, 1 << 30, &r, NULL, NULL, &v));
    return 0;
}
