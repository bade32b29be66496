// diff: timeout=30; libc=glibc
// Who is told of a message in an empty queue, how, and what ends it.
#include "files.h"
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>

static volatile int code, value, from;
static void told(int signal, siginfo_t *info, void *c) { (void)c; (void)signal; code = info->si_code, value = info->si_value.sival_int, from = info->si_pid == getpid(); }
static void status(int q) {
    char text[200] = {0};
    pread(q, text, sizeof text - 1, 0);
    char *pid = strstr(text, "NOTIFY_PID:");
    if (pid) printf("%.*s%s\n", (int)(pid - text), text, atoi(pid + 11) ? "somebody" : "nobody");
}
static sem_t done;
static void thread(union sigval v) { printf("thread told %d\n", v.sival_int); sem_post(&done); }

int main(void) {
    mq_unlink("/rkt-notify");
    struct mq_attr small = {.mq_maxmsg = 3, .mq_msgsize = 16};
    mqd_t q = mq_open("/rkt-notify", O_RDWR | O_CREAT, 0600, &small), other = mq_open("/rkt-notify", O_RDWR);
    char text[16];
    t_handle(SIGUSR1, told, SA_SIGINFO);
    struct sigevent signal_ = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42}, none = {.sigev_notify = SIGEV_NONE};
    status(q); T(mq_notify(q, NULL)); T(mq_notify(q, &signal_)); status(q); T(mq_notify(other, &none));
    T(mq_notify(q, &signal_));
    T(mq_send(q, "a", 1, 0)); N(code); N(value); N(from); status(q);
    code = 0; T(mq_notify(q, &signal_)); T(mq_send(q, "b", 1, 0)); N(code); T(mq_receive(q, text, 16, NULL));
    T(mq_send(q, "c", 1, 0)); N(code);
    T(mq_receive(q, text, 16, NULL)); T(mq_receive(q, text, 16, NULL)); T(mq_send(q, "d", 1, 0)); N(code);
    T(mq_receive(q, text, 16, NULL));
    T(mq_notify(q, &none)); status(q); T(mq_notify(q, &signal_)); T(mq_send(q, "e", 1, 0)); status(q);
    T(mq_receive(q, text, 16, NULL));
    T(mq_notify(q, &signal_)); T(mq_notify(other, NULL)); status(q);
    T(mq_notify(q, &signal_)); T(mq_close(other)); status(q); // a close of the queue, of whatever descriptor
    other = mq_open("/rkt-notify", O_RDWR);
    fflush(stdout);
    if (fork() == 0) { T(mq_notify(q, &signal_)); _exit(0); }
    wait(NULL); status(q); T(mq_notify(q, &signal_));
    if (fork() == 0) { T(mq_notify(q, &none)); T(mq_notify(q, NULL)); code = 0; T(mq_send(q, "f", 1, 0)); N(code); _exit(0); }
    while (wait(NULL) < 0 && errno == EINTR) {} N(code); N(from); T(mq_receive(q, text, 16, NULL));
    // a receiver that waits gets the message without notice
    T(mq_notify(q, &signal_)); code = 0; fflush(stdout);
    if (fork() == 0) { mq_receive(q, text, 16, NULL); _exit(0); }
    t_sleep_ms(100); T(mq_send(q, "g", 1, 0)); wait(NULL); N(code); status(q); T(mq_notify(q, NULL));
    struct sigevent odd = {.sigev_notify = 77}, high = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65}, zero = {.sigev_notify = SIGEV_SIGNAL};
    T(mq_notify(q, &odd)); T(mq_notify(q, &high)); T(mq_notify(q, &zero)); status(q); T(mq_notify(q, NULL));
    T(mq_notify(0, &signal_)); T(mq_notify(-1, NULL));
    T(syscall(SYS_mq_notify, q, BAD)); T(syscall(SYS_mq_notify, -1, &odd));
    struct sigevent raw = {.sigev_notify = SIGEV_THREAD, .sigev_signo = q, .sigev_value.sival_ptr = text};
    T(syscall(SYS_mq_notify, q, &raw)); raw.sigev_signo = -1; char cookie[32] = "cookie"; raw.sigev_value.sival_ptr = cookie;
    T(syscall(SYS_mq_notify, q, &raw));
    sem_init(&done, 0, 0);
    struct sigevent by_thread = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 7, .sigev_notify_function = thread};
    T(mq_notify(q, &by_thread)); status(q); T(mq_notify(q, &none)); T(mq_send(q, "h", 1, 0)); sem_wait(&done); status(q);
    T(mq_receive(q, text, 16, NULL));
    T(mq_notify(q, &by_thread)); T(mq_notify(q, NULL)); status(q);
    T(mq_unlink("/rkt-notify"));
    return 0;
}
