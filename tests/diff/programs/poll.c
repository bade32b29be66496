// poll and ppoll: kinds of files, closed descriptors, limits, time-outs, signals.
#include "t.h"
#include <poll.h>
#include <sys/resource.h>

static volatile sig_atomic_t seen;
static void handler(int s) { seen = s; }

int main(void) {
    t_scratch();
    int file = t_file("f", ""), dir = open(".", O_RDONLY), null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    int fds[] = {file, dir, null, zero};
    struct pollfd f[8];
    for (int i = 0; i < 4; i++) f[i] = (struct pollfd){fds[i], POLLIN | POLLOUT | POLLPRI, 0};
    f[4] = (struct pollfd){-1, POLLIN, 77};
    f[5] = (struct pollfd){999, POLLIN, 0};
    f[6] = (struct pollfd){file, 0, 0};
    T(poll(f, 7, 0));
    for (int i = 0; i < 7; i++) printf("%x ", f[i].revents);
    puts("");
    T(poll(NULL, 0, 0));
    T(poll(BAD, 1, 0));
    long before = t_now_ms();
    T(poll(NULL, 0, 30));
    C(t_now_ms() - before >= 29);
    int p[2];
    pipe(p);
    struct pollfd one = {p[0], POLLIN, 0};
    T(poll(&one, 1, 10));
    t_handle(SIGALRM, handler, SA_RESTART); // poll is never restarted
    ualarm(100000, 0);
    T(poll(&one, 1, 5000));
    N(seen);
    T(ppoll(&one, 1, &(struct timespec){0, 5000000}, NULL));
    T(ppoll(&one, 1, &(struct timespec){0, 1000000000}, NULL));
    T(ppoll(&one, 1, &(struct timespec){-1, 0}, NULL));
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    seen = 0;
    raise(SIGALRM);
    T(ppoll(&one, 1, &(struct timespec){5, 0}, &none));
    N(seen);
    write(p[1], "x", 1);
    T(poll(&one, 1, -1));
    N(one.revents);
    one.events = POLLIN | POLLRDNORM;
    T(poll(&one, 1, -1));
    N(one.revents);
    static struct pollfd many[300];
    for (int i = 0; i < 300; i++) many[i] = (struct pollfd){p[0], POLLIN, 0};
    T(poll(many, 300, 0));
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &limit);
    T(poll(many, 300, 0));
    return 0;
}
