// seccomp(2): filters, their actions and their precedence, what is inherited and what is refused.
// diff: libc=glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define SHOW(...) (printf(__VA_ARGS__), fflush(stdout))

#define GIVES(call) ({ errno = 0; long gives = (call); SHOW("%ld %d ", gives, errno); })

static const char *name(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

static long install(unsigned flags, struct sock_filter *filter, int count) {
    struct sock_fprog program = {count, filter};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
#define INSTALL(flags, ...) ({ struct sock_filter f[] = {__VA_ARGS__}; install(flags, f, sizeof f / sizeof *f); })
/// Answers one call in this way, and lets all others pass.
#define ON(number, what) INSTALL(0, LOAD(nr), IF(number), RET(what), RET(SECCOMP_RET_ALLOW))

static void in_child(const char *what, void (*body)(void)) {
    SHOW("%s: ", what);
    pid_t child = fork();
    if (!child) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        body();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) SHOW("[signal %s]\n", sigabbrev_np(WTERMSIG(status)));
    else SHOW("[exit %d]\n", WEXITSTATUS(status));
}

static void denied(void) {
    ON(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY);
    long r = syscall(SYS_getppid);
    SHOW("%s ", name(r));
    ON(SYS_getpid, SECCOMP_RET_ERRNO | 0);
    SHOW("%ld ", syscall(SYS_getpid));
    ON(SYS_getuid, SECCOMP_RET_ERRNO | 0xffff);
    GIVES(syscall(SYS_getuid));
}
static void kill_process(void) { ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS); syscall(SYS_getppid); SHOW("lives "); }
static void kill_thread(void) { ON(SYS_getppid, SECCOMP_RET_KILL_THREAD); syscall(SYS_getppid); SHOW("lives "); }
static void unknown_action(void) { ON(SYS_getppid, 0x12340000); syscall(SYS_getppid); SHOW("lives "); }
static void logged(void) { ON(SYS_getppid, SECCOMP_RET_LOG); SHOW("%d ", syscall(SYS_getppid) == getppid()); }
static void traced(void) { ON(SYS_getppid, SECCOMP_RET_TRACE); SHOW("%s ", name(syscall(SYS_getppid))); }

static void on_trap(int signal, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    SHOW("sig %d code %d errno %d call %d arch %x rax %lld addr %d ", signal, info->si_code, info->si_errno,
         info->si_syscall, info->si_arch, (long long)uc->uc_mcontext.gregs[REG_RAX],
         (long long)info->si_call_addr == uc->uc_mcontext.gregs[REG_RIP]);
    uc->uc_mcontext.gregs[REG_RAX] = 4242;
}
static void trapped(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, 0);
    ON(SYS_getppid, SECCOMP_RET_TRAP | 77);
    SHOW("gives %ld ", syscall(SYS_getppid));
}
static void trapped_by_default(void) { ON(SYS_getppid, SECCOMP_RET_TRAP); syscall(SYS_getppid); SHOW("lives "); }
static void trapped_ignored(void) {
    signal(SIGSYS, SIG_IGN);
    trapped_by_default();
}
static void trapped_blocked(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    sigprocmask(SIG_BLOCK, &set, 0);
    trapped_by_default();
}

/// The strictest answer counts, and among equals that of the newest filter.
static void several(void) {
    ON(SYS_getppid, SECCOMP_RET_ERRNO | 1);
    ON(SYS_getppid, SECCOMP_RET_ERRNO | 2);
    GIVES(syscall(SYS_getppid));
    ON(SYS_getppid, SECCOMP_RET_ALLOW);
    GIVES(syscall(SYS_getppid));
    ON(SYS_getppid, SECCOMP_RET_TRACE);
    GIVES(syscall(SYS_getppid));
    ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    syscall(SYS_getppid);
}

/// Arguments, architecture and instruction pointer can be looked at.
static void arguments(void) {
    INSTALL(0, LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 0, 6), LOAD(args[1]), IF(99), RET(SECCOMP_RET_ERRNO | 33),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4), IF(1), RET(SECCOMP_RET_ERRNO | 44),
            RET(SECCOMP_RET_ALLOW));
    GIVES(syscall(SYS_dup2, 1, 99));
    GIVES(syscall(SYS_dup2, 1, 98));
    GIVES(syscall(SYS_dup2, 0x100000001, 98));
    INSTALL(0, LOAD(arch), IF(AUDIT_ARCH_X86_64), RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_KILL_PROCESS));
    SHOW("%d ", syscall(SYS_getppid) > 0);
    INSTALL(0, LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 3), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), IF(64),
            RET(SECCOMP_RET_ERRNO | 55), RET(SECCOMP_RET_ALLOW));
    GIVES(syscall(SYS_getppid));
}

static void forked(void) {
    ON(SYS_getppid, SECCOMP_RET_ERRNO | 5);
    pid_t child = fork();
    if (!child) {
        GIVES(syscall(SYS_getppid));
        SHOW("mode %d ", prctl(PR_GET_SECCOMP));
        _exit(0);
    }
    waitpid(child, 0, 0);
    char *argv[] = {"/proc/self/exe", "again", 0};
    execv("/proc/self/exe", argv);
}

static void *in_thread(void *result) {
    pthread_barrier_wait(result);
    pthread_barrier_wait(result);
    long r = syscall(SYS_getppid);
    SHOW("thread %ld %d mode %d ", r > 0 ? 1 : r, r > 0 ? 0 : errno, prctl(PR_GET_SECCOMP));
    return 0;
}
static void with_thread(unsigned flags) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, 0, 2);
    pthread_t thread;
    pthread_create(&thread, 0, in_thread, &barrier);
    pthread_barrier_wait(&barrier);
    SHOW("%ld ", INSTALL(flags, LOAD(nr), IF(SYS_getppid), RET(SECCOMP_RET_ERRNO | 6), RET(SECCOMP_RET_ALLOW)));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, 0);
}
static void alone(void) { with_thread(0); }
static void synchronised(void) { with_thread(SECCOMP_FILTER_FLAG_TSYNC); }

static void *diverges(void *barrier) {
    ON(SYS_getpgrp, SECCOMP_RET_ERRNO | 6);
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return 0;
}
static void diverged(void) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, 0, 2);
    pthread_t thread;
    pthread_create(&thread, 0, diverges, &barrier);
    pthread_barrier_wait(&barrier);
    long r = INSTALL(SECCOMP_FILTER_FLAG_TSYNC, RET(SECCOMP_RET_ALLOW));
    SHOW("a thread %d ", r > 0);
    r = INSTALL(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, RET(SECCOMP_RET_ALLOW));
    SHOW("%s ", name(r));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, 0);
}

static void *dies(void *unused) {
    ON(SYS_getppid, SECCOMP_RET_KILL_THREAD);
    syscall(SYS_getppid);
    SHOW("lives ");
    return unused;
}
static void thread_dies(void) {
    pthread_t thread;
    pthread_create(&thread, 0, dies, 0);
    pthread_join(thread, 0);
    SHOW("goes on ");
}

static void old_calls(void) {
    ON(SYS_getppid, SECCOMP_RET_ERRNO | 9);
    INSTALL(0, LOAD(arch), IF(AUDIT_ARCH_I386), RET(SECCOMP_RET_ERRNO | 10), RET(SECCOMP_RET_ALLOW));
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    SHOW("%ld ", result);
}

static void strict_allows(void) {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    write(1, "written ", 8);
    syscall(SYS_exit, 3);
}
static void strict_kills(void) {
    SHOW("%ld ", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
    syscall(SYS_getpid);
    write(1, "lives ", 6);
}

static void refused(void) {
    struct sock_filter allow = RET(SECCOMP_RET_ALLOW);
    SHOW("empty %s ", name(install(0, &allow, 0)));
    SHOW("long %s ", name(install(0, &allow, 4097)));
    SHOW("null %s ", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0)));
    SHOW("bad %s ", name(install(0, (void *)8, 1)));
    SHOW("flag %s ", name(install(0x100, &allow, 1)));
    SHOW("no ret %s ", name(INSTALL(0, LOAD(nr))));
    SHOW("half %s ", name(INSTALL(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0))));
    SHOW("odd %s ", name(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0))));
    SHOW("behind %s ", name(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0))));
    SHOW("ind %s ", name(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0))));
    SHOW("msh %s ", name(INSTALL(0, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RET(0))));
    SHOW("mod %s ", name(INSTALL(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0))));
    SHOW("div %s ", name(INSTALL(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0))));
    SHOW("\n operation %s ", name(syscall(SYS_seccomp, 77, 0, 0)));
    SHOW("strict flags %s ", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0)));
    SHOW("strict args %s ", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &allow)));
    SHOW("prctl %s ", name(prctl(PR_SET_SECCOMP, 0)));
    SHOW("prctl 9 %s ", name(prctl(PR_SET_SECCOMP, 9)));
    SHOW("mode %d ", prctl(PR_GET_SECCOMP));
    SHOW("filter %s ", name(install(0, &allow, 1)));
    SHOW("then strict %s ", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0)));
    SHOW("mode %d ", prctl(PR_GET_SECCOMP));
}
static void available(void) {
    unsigned actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
                          SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x12340000};
    for (int i = 0; i < 8; i++) SHOW("%s ", name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, actions + i)));
    SHOW("%s ", name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, actions)));
    SHOW("%s ", name(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8)));
}
static void without_privilege(void) {
    struct sock_filter allow = RET(SECCOMP_RET_ALLOW);
    prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
    setresuid(1000, 1000, 1000);
    SHOW("%s ", name(install(0, &allow, 1)));
    SHOW("%s ", name(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){1, &allow})));
    SHOW("null %s ", name(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0)));
    SHOW("empty %s ", name(install(0, &allow, 0)));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    SHOW("%s ", name(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){1, &allow})));
    SHOW("mode %d ", prctl(PR_GET_SECCOMP));
}
/// Many filters, and the status file that counts them; too many are refused.
static void many(void) {
    static struct sock_filter nops[4096];
    for (int i = 0; i < 4095; i++) nops[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    nops[4095] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
    int i = 0;
    while (install(0, nops, 4096) == 0) i++;
    SHOW("%d then %s ", i, name(-1));
    char line[200];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Seccomp", 7)) SHOW("%.*s ", (int)strcspn(line, "\n"), line);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        SHOW("after exec ");
        GIVES(syscall(SYS_getppid));
        SHOW("mode %d ", prctl(PR_GET_SECCOMP));
        return 0;
    }
    in_child("errno", denied);
    in_child("kill process", kill_process);
    in_child("kill thread", kill_thread);
    in_child("unknown action", unknown_action);
    in_child("log", logged);
    in_child("trace", traced);
    in_child("trap", trapped);
    in_child("trap, default", trapped_by_default);
    in_child("trap, ignored", trapped_ignored);
    in_child("trap, blocked", trapped_blocked);
    in_child("several", several);
    in_child("arguments", arguments);
    in_child("fork and exec", forked);
    in_child("thread alone", alone);
    in_child("threads together", synchronised);
    in_child("threads apart", diverged);
    in_child("a thread dies", thread_dies);
    in_child("int 0x80", old_calls);
    in_child("strict", strict_allows);
    in_child("strict kills", strict_kills);
    in_child("refused", refused);
    in_child("available", available);
    in_child("without privilege", without_privilege);
    in_child("many", many);
    return 0;
}
