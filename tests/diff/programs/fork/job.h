// Children that run a function, and how they ended.
#include "../t.h"
#include <spawn.h>
#include <sys/prctl.h>

extern char **environ;

// Starts a child that runs a function and exits with its result. What is in the output's buffer is not written twice.
static inline pid_t j_start(int (*run)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) perror("fork"), exit(99);
    if (pid == 0) {
        int code = run();
        fflush(stdout);
        _exit(code);
    }
    return pid;
}

static inline void j_status(const char *what, int status) {
    if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("%s: killed by %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status)) printf("%s: stopped by %d\n", what, WSTOPSIG(status));
    else if (WIFCONTINUED(status)) printf("%s: continued\n", what);
    else printf("%s: status %x\n", what, status);
}

static inline void j_wait(const char *what, pid_t pid, int options) {
    int status = 0;
    pid_t got = waitpid(pid, &status, options);
    if (got == pid) j_status(what, status);
    else printf("%s: %s\n", what, got == 0 ? "nothing" : got == -1 ? t_name(errno) : "another");
}

#define J(run) j_wait(#run, j_start(run), 0)

// One byte from one process to another.
static inline void j_tell(int fd) { if (write(fd, "x", 1) != 1) perror("tell"), exit(99); }
static inline void j_await(int fd) { char c; if (read(fd, &c, 1) != 1) perror("await"), exit(99); }
