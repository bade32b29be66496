// The other end goes: SIGHUP to the leader, then to the foreground when that ends; files are dead.
// diff: cpus=2
#include "tty.h"

static int p[2], q[2];
static volatile sig_atomic_t hung, went_on;
static void on_hup(int s) { (void)s; hung++; }
static void on_cont(int s) { (void)s; went_on++; }
static int leader(void) {
    close(master);
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    signal(SIGHUP, on_hup), signal(SIGCONT, on_cont);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGHUP, SIG_DFL);
        j_tell(q[1]);
        for (;;) pause();
    }
    setpgid(pid, pid);
    j_await(q[0]);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, pid);
    int other = open("/dev/tty", O_RDWR);
    j_tell(p[1]);
    for (int i = 0; i < 3000 && !(hung && went_on); i++) t_sleep_ms(1);
    N(hung); N(went_on);
    char c;
    T(read(slave, &c, 1)); T(write(slave, &c, 1)); T(read(other, &c, 1)); T(write(other, &c, 1)); T(open("/dev/tty", O_RDWR)); T(tcgetpgrp(slave));
    struct pollfd poller = {.fd = slave, .events = POLLIN | POLLOUT};
    T(poll(&poller, 1, 0)); N(poller.revents);
    T(waitpid(pid, NULL, WNOHANG)); // the job lives as long as the leader
    return 7;
}

int main(void) {
    pipe(p), pipe(q);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    y_open();
    pid_t pid = j_start(leader);
    close(slave);
    j_await(p[0]);
    close(master);
    j_wait("leader", pid, 0);
    int status;
    C(wait(&status) > 0);
    j_status("foreground", status);
    return 0;
}
