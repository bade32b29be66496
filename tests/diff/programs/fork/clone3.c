// clone3(2): the structure, field by field.
#include "job.h"
#include <poll.h>

struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
#define CLEAR 0x100000000ull
static long call(struct args a, size_t size) {
    long pid = syscall(SYS_clone3, &a, size);
    if (pid == 0) _exit(8);
    if (pid > 0) { waitpid(pid, NULL, __WALL); return 0; }
    return pid;
}
#define TRY(...) T(call((struct args){__VA_ARGS__}, sizeof(struct args)))

static int tried(void) {
    T(syscall(SYS_clone3, BAD, 88));
    T(call((struct args){.exit_signal = SIGCHLD}, 63));
    T(call((struct args){.exit_signal = SIGCHLD}, 64));
    T(call((struct args){.exit_signal = SIGCHLD}, 80));
    T(call((struct args){.exit_signal = SIGCHLD}, 5000));
    struct { struct args a; uint64_t more; } longer = {{.exit_signal = SIGCHLD}, 0};
    long pid = syscall(SYS_clone3, &longer, sizeof longer);
    if (pid == 0) _exit(0);
    C(pid > 0);
    wait(NULL);
    longer.more = 1;
    T(syscall(SYS_clone3, &longer, sizeof longer));
    TRY(.exit_signal = SIGCHLD);
    TRY(.exit_signal = 65);
    TRY(.exit_signal = 0x100 | SIGCHLD);
    TRY(.flags = SIGCHLD);
    TRY(.flags = 1ull << 40, .exit_signal = SIGCHLD);
    TRY(.flags = CLONE_DETACHED, .exit_signal = SIGCHLD);
    TRY(.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD);
    TRY(.flags = CLONE_PARENT, .exit_signal = SIGCHLD);
    TRY(.flags = CLEAR | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD);
    TRY(.flags = CLEAR, .exit_signal = SIGCHLD);
    TRY(.exit_signal = SIGCHLD, .stack = 0x10000);
    TRY(.exit_signal = SIGCHLD, .stack_size = 0x10000);
    TRY(.exit_signal = SIGCHLD, .stack = (uint64_t)KERNEL, .stack_size = 0x10000);
    TRY(.exit_signal = SIGCHLD, .set_tid_size = 1);
    TRY(.exit_signal = SIGCHLD, .set_tid = 8);
    TRY(.exit_signal = SIGCHLD, .set_tid = 8, .set_tid_size = 33);
    TRY(.exit_signal = SIGCHLD, .set_tid = 8, .set_tid_size = 1);
    int wanted = -1;
    TRY(.exit_signal = SIGCHLD, .set_tid = (uint64_t)&wanted, .set_tid_size = 1);
    wanted = getpid();
    TRY(.exit_signal = SIGCHLD, .set_tid = (uint64_t)&wanted, .set_tid_size = 1);
    return 0;
}

int main(void) {
    J(tried);
    int fd = -1, child = 0, parent = 0;
    signal(SIGUSR1, SIG_IGN);
    t_handle(SIGUSR2, (void *)j_tell, 0);
    struct args a = {.flags = CLONE_PIDFD | CLEAR | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .pidfd = (uint64_t)&fd, .exit_signal = SIGCHLD,
                     .child_tid = (uint64_t)&child, .parent_tid = (uint64_t)&parent};
    fflush(stdout);
    long pid = syscall(SYS_clone3, &a, sizeof a);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one), sigaction(SIGUSR2, NULL, &two);
        _exit(10 * (one.sa_handler == SIG_IGN) + (two.sa_handler == SIG_DFL) + 100 * (child == getpid()));
    }
    C(parent == pid); N(child); N(fd);
    C(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    T(poll(&poller, 1, 5000)); N(poller.revents);
    j_wait("cleared", pid, 0);
    T(poll(&poller, 1, 0)); N(poller.revents);
    return 0;
}
