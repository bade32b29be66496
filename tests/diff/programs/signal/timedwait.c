// sigwaitinfo and sigtimedwait: timeouts, errors, which signal is taken, and what interrupts.
// diff: libc=glibc; cpus=2
#include "../t.h"

static void nothing(int s) { (void)s; }
static pthread_t first;
static void *sender(void *arg) {
    t_sleep_ms(30);
    pthread_kill(first, (int)(long)arg);
    return NULL;
}
static void later(int signal) {
    pthread_t t;
    pthread_create(&t, NULL, sender, (void *)(long)signal);
    pthread_detach(t);
}

int main(void) {
    first = pthread_self();
    sigset_t set, empty;
    siginfo_t info;
    struct timespec ts = {0, 1000000};
    sigemptyset(&set);
    sigemptyset(&empty);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGKILL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    T(sigtimedwait(&set, &info, &ts));
    ts.tv_nsec = 1000000000;
    T(sigtimedwait(&set, &info, &ts));
    ts.tv_nsec = -1;
    T(sigtimedwait(&set, &info, &ts));
    ts = (struct timespec){-1, 0};
    T(sigtimedwait(&set, &info, &ts));
    T(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 4L));
    T(syscall(SYS_rt_sigtimedwait, BAD, &info, NULL, 8L));
    T(syscall(SYS_rt_sigtimedwait, &set, &info, BAD, 8L));
    ts = (struct timespec){0, 0};
    T(sigtimedwait(&empty, NULL, &ts));
    raise(SIGUSR1);
    T(syscall(SYS_rt_sigtimedwait, &set, BAD, &ts, 8L)); // taken, and lost
    T(sigtimedwait(&set, NULL, &ts));
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    memset(&info, 0, sizeof info);
    T(sigtimedwait(&set, &info, &ts) == SIGUSR1);
    N(info.si_code);
    T(sigtimedwait(&set, &info, &ts) == SIGUSR1);
    N(info.si_code);
    C(info.si_pid == getpid() && info.si_uid == getuid() && info.si_errno == 0 && info.si_signo == SIGUSR1);
    ts = (struct timespec){5, 0};
    later(SIGRTMIN + 1);
    C(sigtimedwait(&set, &info, &ts) == SIGRTMIN + 1);
    N(info.si_code);
    t_handle(SIGUSR2, nothing, 0);
    later(SIGUSR2);
    T(sigtimedwait(&set, &info, &ts));
    t_handle(SIGUSR2, nothing, SA_RESTART);
    later(SIGUSR2);
    T(sigwaitinfo(&set, &info));
    // A signal that is ignored and blocked is waited for nonetheless; one that is not blocked and ignored is lost.
    signal(SIGUSR1, SIG_IGN);
    later(SIGUSR1);
    T(sigtimedwait(&set, &info, &ts) == SIGUSR1);
    ts = (struct timespec){0, 20000000};
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &chld, NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    ts.tv_sec = 5;
    int taken;
    while ((taken = sigtimedwait(&chld, &info, &ts)) < 0 && errno == EINTR); // another one's signal may still come
    C(taken == SIGCHLD);
    C(info.si_pid == pid);
    N(info.si_code);
    N(info.si_status);
    T(wait(NULL) == pid);
    return 0;
}
