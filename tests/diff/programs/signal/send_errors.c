// kill, tkill, tgkill, sigqueue and their kin: who may send what to whom, and in which order errors are found.
#include "../t.h"

static int got;
static void handler(int s, siginfo_t *i, void *u) { (void)u; got = s * 1000 + (i->si_code & 0xff); }
static long queueinfo(pid_t pid, int sig, siginfo_t *info) { return syscall(SYS_rt_sigqueueinfo, pid, sig, info); }
static long tgqueueinfo(pid_t pid, pid_t tid, int sig, siginfo_t *info) { return syscall(SYS_rt_tgsigqueueinfo, pid, tid, sig, info); }

int main(void) {
    pid_t me = getpid(), tid = (pid_t)syscall(SYS_gettid);
    t_handle(SIGUSR1, handler, SA_SIGINFO);
    T(kill(me, 0));
    T(kill(me, 65));
    T(kill(me, -1));
    T(kill(99999999, 0));
    T(kill(99999999, 65));
    T(kill(INT_MIN, 0));
    T(kill(-99999999, 0));
    T(syscall(SYS_tkill, 0, SIGUSR1));
    T(syscall(SYS_tkill, -1, SIGUSR1));
    T(syscall(SYS_tkill, 99999999, SIGUSR1));
    T(syscall(SYS_tkill, tid, 65));
    T(syscall(SYS_tkill, tid, 0));
    T(syscall(SYS_tgkill, me, 0, SIGUSR1));
    T(syscall(SYS_tgkill, 0, tid, SIGUSR1));
    T(syscall(SYS_tgkill, me + 1, tid, SIGUSR1));
    T(syscall(SYS_tgkill, me, 99999999, SIGUSR1));
    T(syscall(SYS_tgkill, me, tid, 65));
    T(syscall(SYS_tgkill, me, tid, 0));
    T(syscall(SYS_tgkill, me, tid, SIGUSR1));
    N(got);
    T(syscall(SYS_tkill, tid, SIGUSR1));
    T(kill(me, SIGUSR1));
    N(got);
    siginfo_t info = {.si_code = SI_QUEUE};
    T(queueinfo(me, SIGUSR1, &info));
    N(got);
    info.si_code = SI_USER;
    T(queueinfo(me, SIGUSR1, &info));
    N(got);
    info.si_code = SI_TKILL;
    T(queueinfo(me, SIGUSR1, &info));
    T(tgqueueinfo(me, tid, SIGUSR1, &info));
    info.si_code = 5;
    T(queueinfo(me, SIGUSR1, &info));
    N(got);
    info.si_code = SI_QUEUE;
    info.si_signo = 99; // replaced
    T(queueinfo(me, SIGUSR1, &info));
    N(got);
    T(queueinfo(me, 0, &info));
    T(queueinfo(me, 65, &info));
    T(queueinfo(99999999, 65, &info));
    T(queueinfo(0, SIGUSR1, &info));
    T(queueinfo(-1, SIGUSR1, &info));
    T(queueinfo(me, SIGUSR1, BAD));
    T(tgqueueinfo(me, tid, SIGUSR1, BAD));
    T(tgqueueinfo(0, tid, SIGUSR1, &info));
    T(tgqueueinfo(me, 0, SIGUSR1, &info));
    T(tgqueueinfo(me, -1, 0, &info));
    T(tgqueueinfo(me, tid, 65, &info));
    T(tgqueueinfo(me, tid, 0, &info));
    pid_t child = fork();
    if (child == 0) { pause(); _exit(0); }
    info.si_code = SI_USER;
    T(queueinfo(child, SIGUSR1, &info));
    info.si_code = SI_TKILL;
    T(queueinfo(child, 0, &info));
    T(tgqueueinfo(child, child, 0, &info));
    info.si_code = SI_QUEUE;
    T(queueinfo(child, 0, &info));
    // A zombie can be signalled.
    kill(child, SIGKILL);
    siginfo_t dead;
    waitid(P_PID, (id_t)child, &dead, WEXITED | WNOWAIT);
    T(kill(child, 0));
    T(kill(child, SIGTERM));
    T(syscall(SYS_tkill, child, 0));
    T(queueinfo(child, SIGTERM, &info));
    waitpid(child, NULL, 0);
    T(kill(child, 0));
    // Rights: real or effective id of the sender against real or saved id of the target.
    int ready[2], go[2];
    pipe(ready); pipe(go);
    child = fork();
    if (child == 0) { setresuid(1001, 1002, 1003); write(ready[1], "x", 1); read(go[0], ready, 1); _exit(0); }
    char c;
    read(ready[0], &c, 1);
    static const uid_t ids[][3] = {{1001, 1001, 1001}, {1002, 1002, 1002}, {1003, 1003, 1003}, {1004, 1003, 1004}, {1004, 1004, 1001}, {1003, 1004, 1004}, {1004, 1002, 1004}, {1001, 1004, 1004}};
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
        pid_t p = fork();
        if (p == 0) {
            setresuid(ids[i][0], ids[i][1], ids[i][2]);
            printf("%u ", i);
            T(kill(child, 0));
            T(kill(child, SIGCONT));
            T(syscall(SYS_tkill, child, 0));
            T(queueinfo(child, 0, &info));
            _exit(0);
        }
        waitpid(p, NULL, 0);
    }
    write(go[1], "x", 1);
    waitpid(child, NULL, 0);
    return 0;
}
