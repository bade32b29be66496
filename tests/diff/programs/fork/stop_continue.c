// Stopping and continuing: what wait reports and SIGCHLD carries, once each.
// diff: cpus=2
#include "job.h"

static volatile int seen;
static void on_child(int s, siginfo_t *i, void *u) { (void)u; seen = i->si_code * 1000 + i->si_status * 10 + (s == SIGCHLD); }
static int sleeper(void) { for (;;) pause(); return 0; }
static int raises(void) { raise(SIGTSTP); raise(SIGTTIN); raise(SIGTTOU); raise(SIGSTOP); return 5; }

static void await_signal(const char *what) {
    for (int i = 0; i < 5000 && !seen; i++) t_sleep_ms(1);
    printf("%s: %d\n", what, seen);
    seen = 0;
}

int main(void) {
    siginfo_t info;
    t_handle(SIGCHLD, on_child, SA_SIGINFO | SA_RESTART);
    pid_t pid = j_start(sleeper);
    kill(pid, SIGSTOP);
    await_signal("stop");
    memset(&info, 0, sizeof info);
    T(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT)); N(info.si_code); N(info.si_status);
    T(waitid(P_PID, pid, &info, WCONTINUED | WNOHANG));
    j_wait("untraced", pid, WUNTRACED | WNOHANG);
    j_wait("untraced again", pid, WUNTRACED | WNOHANG);
    kill(pid, SIGSTOP); // stopped already: nothing new
    t_sleep_ms(20);
    j_wait("second stop", pid, WUNTRACED | WNOHANG);
    kill(pid, SIGCONT);
    await_signal("continue");
    T(waitid(P_PID, pid, &info, WCONTINUED | WNOWAIT)); N(info.si_code); N(info.si_status);
    j_wait("continued", pid, WCONTINUED | WNOHANG);
    j_wait("continued again", pid, WCONTINUED | WNOHANG);
    kill(pid, SIGCONT); // runs: nothing to report
    t_sleep_ms(20);
    j_wait("second continue", pid, WCONTINUED | WNOHANG);
    kill(pid, SIGSTOP);
    await_signal("stop");
    kill(pid, SIGTERM); // waits until it goes on
    t_sleep_ms(20);
    j_wait("term while stopped", pid, WNOHANG);
    kill(pid, SIGCONT);
    j_wait("after", pid, 0);
    seen = 0;
    pid = j_start(sleeper);
    kill(pid, SIGSTOP);
    await_signal("stop");
    kill(pid, SIGKILL); // does not wait
    j_wait("kill while stopped", pid, 0);
    // The terminal's signals stop too where the group is not orphaned.
    seen = 0;
    t_handle(SIGCHLD, SIG_DFL, 0);
    pid = j_start(raises);
    int status;
    setpgid(pid, pid);
    for (int i = 0; i < 8; i++) {
        if (waitpid(pid, &status, WUNTRACED) != pid) break;
        j_status("raises", status);
        if (!WIFSTOPPED(status)) break;
        kill(pid, SIGCONT);
    }
    // SA_NOCLDSTOP: no signal for it, wait still knows.
    t_handle(SIGCHLD, on_child, SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP);
    pid = j_start(sleeper);
    seen = 0;
    kill(pid, SIGSTOP);
    j_wait("quiet stop", pid, WUNTRACED);
    kill(pid, SIGCONT);
    j_wait("quiet continue", pid, WCONTINUED);
    N(seen);
    kill(pid, SIGKILL);
    await_signal("end");
    return 0;
}
