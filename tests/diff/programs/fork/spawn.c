// posix_spawn: errors come back from the call, attributes and file actions reach the program.
// diff: cpus=2
#define T_INHERITS
#include "job.h"

static int child(char **argv) {
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    char cwd[200];
    printf("%s: group %s, session %s, USR2 %s, USR1 %s, cwd %s, fd7 %s\n", argv[1], getpgrp() == getpid() ? "own" : "parent's",
           getsid(0) == getpid() ? "own" : "parent's", sigismember(&mask, SIGUSR2) ? "blocked" : "open", a.sa_handler == SIG_IGN ? "ignored" : "default",
           strcmp(getcwd(cwd, sizeof cwd), "/") ? "other" : "/", fcntl(7, F_GETFD) == -1 ? "closed" : "open");
    return 6;
}

int main(int argc, char **argv) {
    if (argc > 1) return child(argv);
    t_scratch();
    pid_t pid;
    int error;
    char *none[] = {"none", NULL}, *args[] = {argv[0], "plain", NULL};
    fflush(stdout);
    E(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, none, environ));
    E(posix_spawnp(&pid, "no-such-program-anywhere", NULL, NULL, none, environ));
    E(posix_spawn(&pid, "/", NULL, NULL, none, environ));
    T(close(t_file("plain-file", "hello")));
    E(posix_spawn(&pid, "./plain-file", NULL, NULL, none, environ));
    T(wait(NULL));
    error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ);
    j_wait("plain", pid, 0); E(error);

    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    posix_spawnattr_setsigmask(&attr, &set);
    signal(SIGUSR1, SIG_IGN);
    args[1] = "mask";
    error = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, args, environ);
    j_wait("mask", pid, 0); E(error);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    posix_spawnattr_setsigdefault(&attr, &set);
    args[1] = "default";
    error = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, args, environ);
    j_wait("default", pid, 0); E(error);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    args[1] = "session";
    error = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, args, environ);
    j_wait("session", pid, 0); E(error);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 7, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    args[1] = "files";
    error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ);
    j_wait("files", pid, 0); E(error);
    t_cat("out");
    posix_spawn_file_actions_addopen(&actions, 8, "/nonexistent/file", O_RDONLY, 0);
    E(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ));
    T(wait(NULL));
    return 0;
}
