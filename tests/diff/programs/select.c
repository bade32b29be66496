// select and pselect.
#include "t.h"
#include <sys/select.h>

static volatile sig_atomic_t seen;
static void handler(int s) { seen = s; }

int main(void) {
    t_scratch();
    int p[2], q[2], file = t_file("f", "");
    pipe(p); pipe(q);
    fd_set r, w, x;
#define SET() FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x); FD_SET(p[0], &r); FD_SET(q[0], &r); FD_SET(p[1], &w); FD_SET(file, &r); FD_SET(file, &x)
#define SHOW() printf("  r %d %d %d w %d x %d\n", !!FD_ISSET(p[0], &r), !!FD_ISSET(q[0], &r), !!FD_ISSET(file, &r), !!FD_ISSET(p[1], &w), !!FD_ISSET(file, &x))
    struct timeval none = {0, 0}, wait = {0, 30000};
    SET();
    T(select(20, &r, &w, &x, &none)); SHOW();
    write(p[1], "x", 1);
    SET();
    T(select(20, &r, &w, NULL, NULL)); SHOW();
    close(q[1]);
    SET();
    T(select(20, &r, NULL, NULL, NULL)); SHOW();
    SET();
    T(select(p[0] + 1, &r, &w, NULL, &none)); SHOW();
    FD_ZERO(&r);
    long before = t_now_ms();
    T(select(0, NULL, NULL, NULL, &wait));
    C(t_now_ms() - before >= 29);
    N(wait.tv_sec); N(wait.tv_usec); // Linux leaves what is left
    FD_SET(500, &r);
    T(select(501, &r, NULL, NULL, &none));
    T(syscall(SYS_select, -1, NULL, NULL, NULL, &none));
    T(syscall(SYS_select, 10, BAD, NULL, NULL, &none));
    struct timeval negative = {-1, 0};
    T(syscall(SYS_select, 0, NULL, NULL, NULL, &negative));
    t_handle(SIGALRM, handler, SA_RESTART);
    ualarm(100000, 0);
    wait = (struct timeval){5, 0};
    T(select(0, NULL, NULL, NULL, &wait));
    N(seen);
    C(wait.tv_sec == 4);
    sigset_t block, empty;
    sigemptyset(&empty);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    t_handle(SIGUSR1, handler, 0);
    raise(SIGUSR1);
    struct timespec limit = {5, 0};
    T(pselect(0, NULL, NULL, NULL, &limit, &empty));
    N(seen);
    C(limit.tv_sec == 5);
    return 0;
}
