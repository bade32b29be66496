// Users and groups: setting them as root, giving them up, not getting them back.
#include "t.h"
#include <grp.h>
#include <sys/fsuid.h>

static void show(void) {
    uid_t u[3];
    gid_t g[3];
    getresuid(&u[0], &u[1], &u[2]);
    getresgid(&g[0], &g[1], &g[2]);
    printf("  uid %d %d %d gid %d %d %d\n", u[0], u[1], u[2], g[0], g[1], g[2]);
}

int main(void) {
    gid_t groups[8] = {0};
    show();
    N(getuid()); N(geteuid()); N(getgid()); N(getegid());
    T(setgroups(3, (gid_t[]){30, 10, 20}));
    T(getgroups(0, NULL));
    T(getgroups(8, groups));
    printf("%d %d %d\n", groups[0], groups[1], groups[2]); // sorted by the kernel
    T(getgroups(2, groups));
    T(getgroups(-1, groups));
    T(setgroups(-1, groups));
    T(setregid(5, 6)); show();
    T(setresgid(7, 8, 9)); show();
    T(setresuid(-1, 1000, -1)); show();
    T(setuid(5)); show();
    T(seteuid(0)); show();
    T(setfsuid(1000));
    T(setfsuid(-1));
    T(setreuid(100, 200)); show();
    T(setreuid(-1, 100)); show();
    T(setuid(200)); show();
    T(setuid(0));
    T(setresuid(200, 200, 200)); show();
    T(seteuid(100));
    T(setgid(0));
    T(setgroups(0, NULL));
    T(setresuid(-1, -1, -1));
    T(syscall(SYS_setuid, -1));
    return 0;
}
