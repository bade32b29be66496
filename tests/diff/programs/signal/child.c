// SIGCHLD: SA_NOCLDSTOP, SA_NOCLDWAIT, its siginfo, and what ignoring it does.
#include "../t.h"

static _Atomic int count, last_code, last_status, last_pid;
static void handler(int s, siginfo_t *i, void *u) {
    (void)s; (void)u;
    count++;
    last_code = i->si_code;
    last_status = i->si_status;
    last_pid = i->si_pid;
}
static void until(int n) { for (int i = 0; i < 3000 && count < n; i++) t_sleep_ms(1); }
static pid_t sleeper(void) { pid_t p = fork(); if (p == 0) { for (;;) pause(); } return p; }
static void show(pid_t pid) { printf("  %d: code %d status %d right %d\n", count, last_code, last_status, last_pid == pid); }
int main(void) {
    int status;
    t_handle(SIGCHLD, handler, SA_SIGINFO | SA_RESTART);
    pid_t p = sleeper();
    kill(p, SIGSTOP); until(1); show(p);
    T(waitpid(p, &status, WUNTRACED) == p); printf("%x\n", status);
    kill(p, SIGCONT); until(2); show(p);
    T(waitpid(p, &status, WCONTINUED) == p); printf("%x\n", status);
    kill(p, SIGTERM); until(3); show(p);
    T(waitpid(p, &status, 0) == p); printf("%x\n", status);
    count = 0;
    t_handle(SIGCHLD, handler, SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP);
    p = sleeper();
    kill(p, SIGSTOP);
    T(waitpid(p, &status, WUNTRACED) == p);
    kill(p, SIGCONT);
    T(waitpid(p, &status, WCONTINUED) == p);
    N(count);
    kill(p, SIGKILL); until(1); show(p);
    T(waitpid(p, &status, 0) == p);
    count = 0;
    t_handle(SIGCHLD, handler, SA_SIGINFO | SA_RESTART | SA_NOCLDWAIT);
    p = fork();
    if (p == 0) _exit(3);
    T(waitpid(p, &status, 0));
    until(1); show(p);
    count = 0;
    signal(SIGCHLD, SIG_IGN);
    p = fork();
    if (p == 0) _exit(3);
    T(waitpid(-1, &status, 0));
    T(waitpid(p, &status, WNOHANG));
    // A zombie from before SIG_IGN stays.
    signal(SIGCHLD, SIG_DFL);
    p = fork();
    if (p == 0) _exit(4);
    siginfo_t info;
    waitid(P_PID, (id_t)p, &info, WEXITED | WNOWAIT);
    signal(SIGCHLD, SIG_IGN);
    T(waitpid(p, &status, 0) == p);
    N(WEXITSTATUS(status));
    return 0;
}
