// A handler during a blocking call: SA_RESTART goes on, without it EINTR; some calls never restart.
#include "t.h"
#include <sys/socket.h>

static int p[2], s[2];
static volatile sig_atomic_t count;
static void handler(int signal) {
    count += signal == SIGALRM;
    if (count % 2 == 0) { write(p[1], "go", 2); write(s[1], "go", 2); } // every second alarm ends the wait
}
static void twice(void) { setitimer(ITIMER_REAL, &(struct itimerval){{0, 200000}, {0, 100000}}, NULL); count = 0; }
static void stop(void) { setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL); }

int main(void) {
    char b[64];
    pipe(p);
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s);
    fcntl(s[0], F_SETFL, 0);
    for (int restart = 0; restart < 2; restart++) {
        printf("SA_RESTART %d\n", restart);
        t_handle(SIGALRM, handler, restart ? SA_RESTART : 0);
        twice();
        T(read(p[0], b, 2)); stop();
        C(count == (restart ? 2 : 1));
        while (recv(s[0], b, 64, MSG_DONTWAIT) > 0) {}
        twice();
        T(recv(s[0], b, 64, 0)); stop();
        C(count == (restart ? 2 : 1));
        while (recv(s[0], b, 64, MSG_DONTWAIT) > 0) {}
        fcntl(p[0], F_SETFL, O_NONBLOCK);
        while (read(p[0], b, 64) > 0) {}
        fcntl(p[0], F_SETFL, 0);
        struct timespec wait = {5, 0}, left = {0, 0};
        twice();
        T(nanosleep(&wait, &left)); stop();
        C(left.tv_sec == 4 && count == 1);
        twice();
        T(pause()); stop();
        int word = 0;
        twice();
        T(syscall(SYS_futex, &word, 0, 0, &wait)); stop();
        sigset_t none;
        sigemptyset(&none);
        twice();
        T(sigsuspend(&none)); stop();
        sigaddset(&none, SIGUSR1);
        sigprocmask(SIG_BLOCK, &none, NULL);
        twice();
        T(syscall(SYS_rt_sigtimedwait, &none, NULL, &wait, 8L)); stop(); // musl goes on by itself
        N(count);
        while (read(p[0], b, 0) > 0) {}
    }
    return 0;
}
