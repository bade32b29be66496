// prctl: what unprivileged programs use, and the errors.
#include "../t.h"
#include <sys/prctl.h>
#include <linux/capability.h>
// diff: libc=glibc
#define R(...) syscall(SYS_prctl, __VA_ARGS__)
int main(void) {
    int v = -1;
    uint64_t w;
    char name[16];
    T(R(99999, 0, 0, 0, 0));
    T(R(PR_SET_NAME, "a name that is too long", 0, 0, 0)); T(R(PR_GET_NAME, name, 0, 0, 0)); S(name);
    T(R(PR_SET_NAME, BAD, 0, 0, 0)); T(R(PR_GET_NAME, BAD, 0, 0, 0));
    T(R(PR_SET_PDEATHSIG, 65, 0, 0, 0)); T(R(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0));
    T(R(PR_GET_PDEATHSIG, &v, 0, 0, 0)); N(v); T(R(PR_GET_PDEATHSIG, BAD, 0, 0, 0));
    if (fork() == 0) { R(PR_GET_PDEATHSIG, &v, 0, 0, 0); N(v); _exit(0); }
    wait(NULL);
    T(R(PR_GET_DUMPABLE, 0, 0, 0, 0)); T(R(PR_SET_DUMPABLE, 0, 0, 0, 0)); T(R(PR_GET_DUMPABLE, 0, 0, 0, 0));
    T(R(PR_SET_DUMPABLE, 2, 0, 0, 0)); T(R(PR_SET_DUMPABLE, 1, 0, 0, 0));
    T(R(PR_GET_TIMERSLACK, 0, 0, 0, 0)); T(R(PR_SET_TIMERSLACK, 12345, 0, 0, 0)); T(R(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    if (fork() == 0) { T(R(PR_GET_TIMERSLACK, 0, 0, 0, 0)); R(PR_SET_TIMERSLACK, 7, 0, 0, 0); R(PR_SET_TIMERSLACK, 0, 0, 0, 0); T(R(PR_GET_TIMERSLACK, 0, 0, 0, 0)); _exit(0); }
    wait(NULL);
    T(R(PR_SET_TIMERSLACK, 0, 0, 0, 0)); T(R(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    T(R(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); T(R(PR_GET_CHILD_SUBREAPER, &v, 0, 0, 0)); N(v); T(R(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
    T(R(PR_GET_TIMING, 0, 0, 0, 0)); T(R(PR_SET_TIMING, 0, 0, 0, 0)); T(R(PR_SET_TIMING, 1, 0, 0, 0));
    T(R(PR_GET_TSC, &v, 0, 0, 0)); N(v); T(R(PR_SET_TSC, 1, 0, 0, 0)); T(R(PR_SET_TSC, 5, 0, 0, 0)); T(R(PR_GET_TSC, BAD, 0, 0, 0));
    T(R(PR_GET_KEEPCAPS, 0, 0, 0, 0)); T(R(PR_SET_KEEPCAPS, 2, 0, 0, 0)); T(R(PR_SET_KEEPCAPS, 1, 0, 0, 0)); T(R(PR_GET_KEEPCAPS, 0, 0, 0, 0)); T(R(PR_SET_KEEPCAPS, 0, 0, 0, 0));
    T(R(PR_GET_SECUREBITS, 0, 0, 0, 0));
    T(R(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)); T(R(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)); T(R(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0)); T(R(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    if (fork() == 0) { T(R(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); T(R(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); _exit(0); }
    wait(NULL);
    T(R(PR_GET_THP_DISABLE, 0, 0, 0, 0)); T(R(PR_GET_THP_DISABLE, 1, 0, 0, 0)); T(R(PR_SET_THP_DISABLE, 1, 1, 0, 0));
    T(R(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0)); T(R(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0));
    T(R(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0)); T(R(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0));
    syscall(SYS_set_tid_address, &v);
    T(R(PR_GET_TID_ADDRESS, &w, 0, 0, 0)); C(w == (uintptr_t)&v);
    T(R(PR_GET_SECCOMP, 0, 0, 0, 0));
    T(R(PR_CAPBSET_READ, 0, 0, 0, 0)); T(R(PR_CAPBSET_READ, 99, 0, 0, 0)); T(R(PR_CAPBSET_DROP, 99, 0, 0, 0));
    T(R(PR_CAP_AMBIENT, 9, 0, 0, 0)); T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0)); T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0));
    T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0)); // not inheritable
    T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0)); T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)); T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 1, 0));
    if (fork() == 0) {
        struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct d[2];
        syscall(SYS_capget, &h, d);
        d[0].inheritable = 1 << CAP_CHOWN;
        T(syscall(SYS_capset, &h, d));
        T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0)); T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
        T(R(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0)); T(R(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0));
        T(setresuid(1000, 1000, 1000));
        T(R(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0)); // gone with user 0
        T(R(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0));
        T(R(PR_SET_SECUREBITS, 0, 0, 0, 0)); T(R(PR_SET_MM, 1, 0, 0, 0));
        syscall(SYS_capget, &h, d);
        printf("%x %x %x\n", d[0].effective, d[0].permitted, d[0].inheritable);
        _exit(0);
    }
    wait(NULL);
    T(syscall(SYS_personality, 0xffffffffu)); T(syscall(SYS_personality, 0x40000)); T(syscall(SYS_personality, 0xffffffffu));
    if (fork() == 0) { T(syscall(SYS_personality, 0xffffffffu)); _exit(0); }
    wait(NULL);
    return 0;
}
