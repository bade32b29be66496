// uname, sysinfo, getrandom, sethostname, and calls on processes that are not there.
#include "../t.h"
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/resource.h>
int main(void) {
    struct utsname u;
    struct sysinfo i;
    char buffer[300] = "";
    T(syscall(SYS_uname, &u)); S(u.sysname); S(u.machine); C(u.release[0] >= '5'); T(syscall(SYS_uname, BAD)); T(syscall(SYS_uname, KERNEL));
    memset(&i, 0x55, sizeof i);
    T(syscall(SYS_sysinfo, &i)); C(i.totalram > i.freeram && i.freeram > 0); C(i.mem_unit >= 1); C(i.procs >= 1 && i.uptime > 0); C(i.totalswap >= i.freeswap); T(syscall(SYS_sysinfo, BAD));
    T(getrandom(buffer, 256, 0)); T(getrandom(buffer, 0, 0)); T(getrandom(buffer, 16, GRND_NONBLOCK | GRND_RANDOM)); T(getrandom(buffer, 16, 4)); T(getrandom(buffer, 16, 6)); T(getrandom(buffer, 16, 8)); T(syscall(SYS_getrandom, BAD, 16L, 0)); T(syscall(SYS_getrandom, BAD, 0L, 0));
    char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + PAGE, PAGE);
    T(syscall(SYS_getrandom, edge + PAGE - 8, 100L, 0));
    // What fails; the rest would change the machine.
    T(sethostname(buffer, 65)); T(sethostname(buffer, -1)); T(sethostname(BAD, 1)); T(sethostname(BAD, 65)); T(setdomainname(buffer, 65)); T(setdomainname(BAD, 5));
    if (fork() == 0) {
        setuid(1000);
        T(sethostname("x", 1)); T(syscall(SYS_setdomainname, "x", 1L)); T(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL)); T(syscall(SYS_swapon, "/nothing", 0)); T(syscall(SYS_swapoff, "/nothing")); T(syscall(SYS_acct, "/nothing")); T(syscall(SYS_vhangup)); T(syscall(SYS_chroot, "/"));
        _exit(0);
    }
    wait(NULL);
    T(getpgid(1 << 22)); T(getsid(1 << 22)); T(getpgid(-1)); T(setpgid(1 << 22, 0)); T(setpgid(-1, 0)); T(setpgid(0, -1)); T(setpgid(0, 1 << 22));
    T(syscall(SYS_set_tid_address, NULL) == getpid()); T(syscall(SYS_gettid) == getpid()); C(syscall(SYS_time, NULL) > 1000000000); T(syscall(SYS_time, BAD));
    T(syscall(SYS_arch_prctl, 0x9999, 0L)); T(syscall(SYS_arch_prctl, 0x1002, KERNEL)); T(syscall(SYS_arch_prctl, 0x1003, BAD));
    T(syscall(9999)); T(syscall(-1));
    return 0;
}
