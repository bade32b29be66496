// Stopping and continuing a child: what wait and SIGCHLD say of each, SA_NOCLDSTOP, SIGCONT that is caught or blocked.
#include "../t.h"
static volatile int count, code, status;
static void child(int s, siginfo_t *i, void *u) { (void)s; (void)u; count++; code = i->si_code; status = i->si_status; }
static int went_on[2];
static void cont(int s) { (void)s; write(went_on[1], "c", 1); }
static void until(int n) { for (int i = 0; i < 2000 && count < n; i++) t_sleep_ms(1); }
int main(void) {
    siginfo_t info = {0};
    int ready[2]; char b;
    t_handle(SIGCHLD, child, SA_SIGINFO);
    pipe(ready); pipe(went_on);
    pid_t p = fork();
    if (p == 0) { t_handle(SIGCONT, cont, 0); write(ready[1], "x", 1); for (;;) pause(); }
    read(ready[0], &b, 1);
    static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    setpgid(p, p);
    for (int i = 0; i < 4; i++) {
        count = 0;
        kill(p, stops[i]);
        int st = 0;
        pid_t r = waitpid(p, &st, WUNTRACED);
        until(1);
        printf("%d: %d stopped %d by %d; SIGCHLD %d code %d status %d\n", stops[i], r == p, WIFSTOPPED(st), WSTOPSIG(st), count, code, status);
        T(waitpid(p, &st, WUNTRACED | WNOHANG)); // told once
        count = 0;
        kill(p, SIGCONT);
        while (read(went_on[0], &b, 1) != 1); // the handler, which may also interrupt the read
        T(waitid(P_PID, (id_t)p, &info, WCONTINUED | WNOWAIT)); N(info.si_code); N(info.si_status);
        until(1);
        printf("SIGCHLD %d code %d status %d\n", count, code, status);
        r = waitpid(p, &st, WCONTINUED);
        printf("%d continued %d %x\n", r == p, WIFCONTINUED(st), st);
    }
    t_handle(SIGCHLD, child, SA_SIGINFO | SA_NOCLDSTOP);
    count = 0;
    kill(p, SIGSTOP);
    T(waitid(P_PID, (id_t)p, &info, WSTOPPED)); N(info.si_code); N(info.si_status);
    N(count);
    T(waitid(P_PID, (id_t)p, &info, WSTOPPED | WNOHANG)); N(info.si_pid);
    kill(p, SIGTERM); // waits until it goes on
    T(waitid(P_PID, (id_t)p, &info, WEXITED | WNOHANG)); N(info.si_pid);
    kill(p, SIGKILL); // does not
    T(waitid(P_PID, (id_t)p, &info, WEXITED)); N(info.si_code); N(info.si_status);
    until(1); N(count); N(code); N(status);
    return 0;
}
