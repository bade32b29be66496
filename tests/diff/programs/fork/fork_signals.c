// How children end: codes and signals; SIGCHLD and what it carries; stop and continue.
#include "t.h"

static volatile int signals, code, value;
static void handler(int s, siginfo_t *i, void *unused) {
    (void)s, (void)unused;
    signals++, code = i->si_code, value = i->si_status;
}
static void child(void (*end)(void)) {
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &old);
    signals = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { sigprocmask(SIG_SETMASK, &old, NULL); end(); _exit(77); }
    while (!signals) sigsuspend(&old);
    int status;
    waitpid(pid, &status, 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("code %d value %d exited %d %d signalled %d %d\n", code, value, WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : 0,
           WIFSIGNALED(status), WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}
static void leave(void) { _exit(5); }
static void segv(void) { *(volatile int *)8 = 1; }
static void term(void) { raise(SIGTERM); }
static void die(void) { abort(); }

int main(void) {
    t_handle(SIGCHLD, handler, SA_SIGINFO);
    child(leave); child(segv); child(term); child(die);
    int status;
    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    T(kill(pid, SIGSTOP));
    C(waitpid(pid, &status, WUNTRACED) == pid);
    N(WIFSTOPPED(status)); N(WSTOPSIG(status));
    T(kill(pid, SIGCONT));
    C(waitpid(pid, &status, WCONTINUED) == pid);
    N(WIFCONTINUED(status));
    T(kill(pid, SIGKILL));
    C(waitpid(pid, &status, 0) == pid);
    N(WTERMSIG(status));
    T(kill(pid, 0));
    return 0;
}
