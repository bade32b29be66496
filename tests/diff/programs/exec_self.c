// execve of itself: arguments, environment, what stays (pid, umask, ignored signals, mask) and what goes (handlers, close-on-exec).
#define T_INHERITS
#include "t.h"

static void handler(int signal) { (void)signal; }

int main(int argc, char **argv) {
    if (argc > 1) {
        struct sigaction a;
        sigset_t mask;
        puts("second life");
        N(argc); S(argv[0]); S(argv[1]); S(argv[2]);
        S(getenv("ONLY"));
        C(getenv("PATH") == NULL);
        C(atoi(getenv("PID")) == getpid());
        sigaction(SIGUSR1, NULL, &a); C(a.sa_handler == SIG_DFL);
        sigaction(SIGUSR2, NULL, &a); C(a.sa_handler == SIG_IGN);
        sigprocmask(SIG_BLOCK, NULL, &mask); C(sigismember(&mask, SIGTERM)); C(!sigismember(&mask, SIGINT));
        N(umask(0));
        T(fcntl(10, F_GETFD)); T(fcntl(11, F_GETFD));
        char b[8] = "";
        T(read(10, b, 8)); S(b);
        stack_t s;
        T(sigaltstack(NULL, &s)); N(s.ss_flags);
        char link[4096] = "";
        C(readlink("/proc/self/exe", link, sizeof link - 1) > 0 && strcmp(link, getenv("EXE")) == 0);
        return 33;
    }
    t_scratch();
    static char stack[65536], pid[32], exe[4200], path[4096];
    int fd = t_file("file", "0123456");
    lseek(fd, 4, SEEK_SET);
    T(dup2(fd, 10));
    T(dup3(fd, 11, O_CLOEXEC));
    t_handle(SIGUSR1, handler, 0);
    signal(SIGUSR2, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    umask(027);
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&s, NULL);
    snprintf(pid, sizeof pid, "PID=%d", getpid());
    readlink("/proc/self/exe", path, sizeof path - 1);
    snprintf(exe, sizeof exe, "EXE=%s", path);
    char *args[] = {"another name", "one", "two words", NULL}, *env[] = {"ONLY=this", pid, exe, NULL};
    T(execve(path, args, env));
    return 1;
}
