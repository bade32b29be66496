// getrlimit, setrlimit and prlimit64: every resource, order of checks, rights.
#include "../t.h"
#include <sys/resource.h>
#include <linux/capability.h>
// diff: libc=glibc
#define IN_CHILD(...) do { fflush(stdout); if (fork() == 0) { __VA_ARGS__; _exit(0); } wait(NULL); } while (0)
static long pr(pid_t p, int r, void *n, void *o) { return syscall(SYS_prlimit64, p, r, n, o); }
int main(void) {
    // Without CAP_SYS_RESOURCE, and with the same limits everywhere.
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    syscall(SYS_capget, &h, d);
    d[0].effective &= ~(1u << CAP_SYS_RESOURCE);
    d[0].permitted = d[0].effective;
    syscall(SYS_capset, &h, d);
    struct rlimit start = {1000000, 2000000}, few = {500, 10000}, none = {0, 0};
    for (int r = 0; r < 16; r++) setrlimit(r, r == RLIMIT_NICE || r == RLIMIT_RTPRIO ? &none : r == RLIMIT_NOFILE || r == RLIMIT_NPROC || r == RLIMIT_SIGPENDING ? &few : r == RLIMIT_AS || r == RLIMIT_DATA || r == RLIMIT_STACK ? &(struct rlimit){8 << 20, 1 << 30} : r == RLIMIT_MSGQUEUE || r == RLIMIT_MEMLOCK ? &(struct rlimit){1000, 2000} : &start);
    struct { uint64_t cur, max; } l = {0, 0}, o;
    T(syscall(SYS_getrlimit, 16, &l)); T(syscall(SYS_getrlimit, -1, &l)); T(syscall(SYS_getrlimit, 0, BAD)); T(syscall(SYS_setrlimit, 16, &l)); T(syscall(SYS_setrlimit, 0, BAD)); T(syscall(SYS_setrlimit, 16, BAD));
    for (int r = 0; r < 16; r++) {
        IN_CHILD(
            l.cur = 100000; l.max = 200000;
            printf("%d: ", r); T(pr(0, r, &l, &o));
            C(o.cur <= o.max);
            l.cur = 5; l.max = 4; T(pr(0, r, &l, NULL));
            T(pr(0, r, NULL, &l)); printf("%llu %llu\n", (unsigned long long)l.cur, (unsigned long long)l.max);
        );
    }
    T(pr(0, 16, NULL, &l)); T(pr(1 << 22, 0, NULL, &l)); T(pr(-1, 0, NULL, &l)); T(pr(0, 0, BAD, NULL)); T(pr(0, 0, NULL, BAD)); T(pr(0, 0, NULL, NULL));
    l.cur = l.max = (1 << 20) + 1;
    IN_CHILD(
        l.cur = 10; l.max = 20; T(pr(0, RLIMIT_NOFILE, &l, NULL));
        setuid(1000);
        l.cur = 20; T(pr(0, RLIMIT_NOFILE, &l, NULL));
        l.cur = 21; l.max = 21; T(pr(0, RLIMIT_NOFILE, &l, NULL));
        l.cur = 5; l.max = 10; T(pr(0, RLIMIT_NOFILE, &l, NULL));
        l.max = 20; T(pr(0, RLIMIT_NOFILE, &l, NULL));
        l.cur = l.max = 4; T(pr(0, RLIMIT_NOFILE, &l, NULL)); T(open("/", O_RDONLY)); T(open("/", O_RDONLY));
        T(pr(getppid(), RLIMIT_NOFILE, NULL, &l));
    );
    IN_CHILD(
        pid_t parent = getpid();
        l.cur = 7; l.max = 9;
        if (fork() == 0) { T(pr(parent, RLIMIT_CORE, &l, NULL)); _exit(0); }
        wait(NULL);
        T(pr(0, RLIMIT_CORE, NULL, &o)); printf("%llu %llu\n", (unsigned long long)o.cur, (unsigned long long)o.max);
    );
    return 0;
}
