// The set*id calls: who may set what, what follows what, and the capabilities.
#include "../t.h"
#include <grp.h>
#include <sys/fsuid.h>
#include <linux/capability.h>
// diff: libc=glibc
static void show(void) {
    uid_t r, e, s;
    gid_t g, h, i;
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    getresuid(&r, &e, &s);
    getresgid(&g, &h, &i);
    syscall(SYS_capget, &head, d);
    printf("  uid %u %u %u %d gid %u %u %u %d caps %x %x\n", r, e, s, setfsuid(-1), g, h, i, setfsgid(-1), d[0].effective & ~(1u << CAP_SYS_RESOURCE), d[0].permitted & ~(1u << CAP_SYS_RESOURCE)); // not every tester has that one
}
#define IN_CHILD(...) do { fflush(stdout); if (fork() == 0) { __VA_ARGS__; _exit(0); } wait(NULL); } while (0)
#define U(call) do { T(call); show(); } while (0)
int main(void) {
    show();
    IN_CHILD(U(syscall(SYS_setuid, 1000)); U(syscall(SYS_setuid, 0)); U(syscall(SYS_setuid, 1000)); U(syscall(SYS_setuid, -1)));
    IN_CHILD(U(syscall(SYS_setresuid, 1, 2, 3)); U(syscall(SYS_setuid, 1)); U(syscall(SYS_setuid, 3)); U(syscall(SYS_setuid, 2)); U(syscall(SYS_setresuid, 3, 1, 3)); U(syscall(SYS_setresuid, 4, -1, -1)));
    IN_CHILD(U(syscall(SYS_setresuid, -1, 1000, -1)); U(syscall(SYS_setresuid, -1, 0, -1)); U(syscall(SYS_setresuid, 1000, 1000, 0)); U(syscall(SYS_setresuid, -1, 0, -1)));
    IN_CHILD(U(syscall(SYS_setreuid, 1000, -1)); U(syscall(SYS_setreuid, -1, 1000)); U(syscall(SYS_setreuid, 0, 0)));
    IN_CHILD(U(syscall(SYS_setreuid, 5, 6)); U(syscall(SYS_setreuid, 6, 5)); U(syscall(SYS_setreuid, 7, -1)); U(syscall(SYS_setreuid, -1, 7)));
    IN_CHILD(U(syscall(SYS_setgid, 50)); U(syscall(SYS_setgid, 60)); U(syscall(SYS_setuid, 1)); U(syscall(SYS_setgid, 50)); U(syscall(SYS_setregid, -1, 60)); U(syscall(SYS_setresgid, 60, 60, 61)));
    IN_CHILD(U(syscall(SYS_setresgid, 1, 2, 3)); U(syscall(SYS_setuid, 1)); U(syscall(SYS_setregid, 2, 3)); U(syscall(SYS_setresgid, 3, -1, -1)); U(syscall(SYS_setresgid, 9, -1, -1)));
    IN_CHILD(T(setfsuid(77)); show(); T(setfsuid(0)); show(); U(syscall(SYS_setuid, 8)); T(setfsuid(9)); T(setfsuid(8)); T(setfsgid(5)); show());
    gid_t g[3] = {3, 1, 2}, back[4];
    T(syscall(SYS_setgroups, 3L, g)); T(syscall(SYS_getgroups, 0, NULL)); T(syscall(SYS_getgroups, 2, back)); T(syscall(SYS_getgroups, 4, back));
    printf("%u %u %u\n", back[0], back[1], back[2]);
    T(syscall(SYS_getgroups, -1, back)); T(syscall(SYS_setgroups, 2L, (gid_t[]){5, -1})); T(syscall(SYS_getgroups, 3, BAD)); T(syscall(SYS_setgroups, 65537L, g)); T(syscall(SYS_setgroups, 1L, BAD)); T(syscall(SYS_setgroups, 0L, NULL));
    IN_CHILD(syscall(SYS_setuid, 4); T(syscall(SYS_setgroups, 1L, g)); T(syscall(SYS_setgroups, 65537L, g)));
    T(syscall(SYS_getresuid, BAD, &g[0], &g[1])); T(syscall(SYS_getresgid, &g[0], &g[1], BAD));
    // Headers of capget and capset.
    struct __user_cap_header_struct h = {0, 0};
    struct __user_cap_data_struct d[2] = {{0}};
    T(syscall(SYS_capget, &h, NULL)); printf("%x\n", h.version);
    h.version = 1; T(syscall(SYS_capget, &h, d)); printf("%x\n", h.version);
    T(syscall(SYS_capget, BAD, d));
    h = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, -1}; T(syscall(SYS_capget, &h, d));
    h.pid = 1 << 22; T(syscall(SYS_capget, &h, d)); T(syscall(SYS_capset, &h, d));
    h.pid = 0; T(syscall(SYS_capget, &h, BAD)); T(syscall(SYS_capset, &h, BAD));
    IN_CHILD(syscall(SYS_capget, &h, d); d[0].permitted &= ~1u; T(syscall(SYS_capset, &h, d)); d[0].effective &= ~1u; T(syscall(SYS_capset, &h, d)); d[0].permitted |= 1; T(syscall(SYS_capset, &h, d)); show());
    return 0;
}
