// POSIX message queues by their system calls: names, order, limits, times, notification.
#include "../t.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t told;

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)context;
    told = number == SIGUSR1 && info->si_code == SI_MESGQ && info->si_value.sival_int == 42;
}

int main(void) {
    mq_unlink("/t-mq");
    struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 16}, seen;
    char buffer[64];
    unsigned priority;
    T(mq_open("/t-mq", O_RDWR));
    T(mq_open("/t/mq", O_RDWR | O_CREAT, 0600, NULL));
    T(mq_open("/", O_RDWR | O_CREAT, 0600, NULL));
    T(mq_open("/t-mq", O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 0, .mq_msgsize = 16}));
    T(mq_open("/t-mq", O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 3, .mq_msgsize = 0}));
    mqd_t queue = mq_open("/t-mq", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    printf("made %d\n", queue >= 0);
    T(mq_open("/t-mq", O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
    T(mq_open("/t-mq", O_RDWR | O_WRONLY));
    mqd_t reader = mq_open("/t-mq", O_RDONLY | O_NONBLOCK), writer = mq_open("/t-mq", O_WRONLY);
    T(mq_receive(reader, buffer, 15, NULL));
    T(mq_receive(reader, buffer, 16, NULL));
    T(mq_receive(writer, buffer, 16, NULL));
    T(mq_send(reader, "x", 1, 0));
    T(mq_send(0, "x", 1, 0));
    T(mq_send(queue, "x", 17, 0));
    T(mq_send(queue, "x", 1, 32768));
    T(mq_send(queue, "low", 3, 1));
    T(mq_send(queue, "high first", 10, 5));
    T(mq_send(queue, "high second", 11, 5));
    struct timespec past = {.tv_sec = 1}, wrong = {.tv_sec = 1, .tv_nsec = 1000000000};
    T(mq_timedsend(queue, "more", 4, 0, &past));
    T(mq_timedsend(queue, "more", 4, 0, &wrong));
    T(mq_getattr(reader, &seen));
    printf("flags %lx most %ld size %ld count %ld\n", seen.mq_flags, seen.mq_maxmsg, seen.mq_msgsize, seen.mq_curmsgs);
    struct pollfd poller = {.fd = queue, .events = POLLIN | POLLOUT};
    poll(&poller, 1, 0);
    printf("poll when full: %x\n", poller.revents);
    while (1) {
        ssize_t n = mq_receive(reader, buffer, sizeof buffer, &priority);
        if (n < 0) break;
        printf("%.*s, %u\n", (int)n, buffer, priority);
    }
    T(mq_receive(reader, buffer, sizeof buffer, &priority));
    poll(&poller, 1, 0);
    printf("poll when empty: %x\n", poller.revents);
    T(mq_timedreceive(queue, buffer, sizeof buffer, NULL, &past));
    T(mq_setattr(queue, &(struct mq_attr){.mq_flags = O_NONBLOCK}, &seen));
    printf("flags before %lx\n", seen.mq_flags);
    T(mq_receive(queue, buffer, sizeof buffer, NULL));
    T(mq_setattr(queue, &(struct mq_attr){.mq_flags = O_RDWR | 1}, NULL));
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    T(mq_notify(queue, &event));
    T(mq_notify(queue, &event));
    T(mq_send(writer, "wake", 4, 0));
    printf("told %d\n", told);
    told = 0;
    T(mq_notify(queue, &event));
    T(mq_send(writer, "again", 5, 0));
    printf("told with a message before: %d\n", told);
    T(mq_notify(queue, NULL));
    event.sigev_signo = 65;
    T(mq_notify(queue, &event));
    event.sigev_notify = 77;
    T(mq_notify(queue, &event));
    T(mq_notify(0, NULL));
    while (mq_receive(reader, buffer, sizeof buffer, NULL) >= 0) ;
    fflush(stdout);
    if (fork() == 0) {
        mq_setattr(queue, &(struct mq_attr){.mq_flags = 0}, NULL);
        ssize_t n = mq_receive(queue, buffer, sizeof buffer, NULL);
        printf("child got %.*s\n", (int)n, buffer);
        fflush(stdout);
        _exit(0);
    }
    t_sleep_ms(20);
    T(mq_send(writer, "parent", 6, 0));
    wait(NULL);
    T(mq_unlink("/t-mq"));
    T(mq_unlink("/t-mq"));
    T(mq_send(writer, "still", 5, 0));
    T(mq_receive(reader, buffer, sizeof buffer, NULL));
    T(mq_close(queue));
    T(mq_close(queue));
    return 0;
}
