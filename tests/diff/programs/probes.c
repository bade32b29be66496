// Calls that Linux knows and a program may probe: what they answer when asked wrongly.
#include "t.h"

int main(void) {
    T(syscall(SYS_membarrier, 0, 0) >= 0);
    T(syscall(SYS_membarrier, 99, 0));
    T(syscall(SYS_prctl, 38, 2L, 0L, 0L, 0L));
    T(syscall(SYS_ioctl, -1, 0x5401, BAD));
    T(syscall(SYS_ioctl, 1, 0x12345678, NULL));
    T(syscall(SYS_kill, 99999999, 9));
    T(syscall(SYS_wait4, 99999999, NULL, 0, NULL));
    T(syscall(SYS_wait4, -1, NULL, 0, NULL));
    T(syscall(SYS_wait4, -1, NULL, 0x10000, NULL));
    T(syscall(SYS_waitid, 99, 0, NULL, 4, NULL));
    T(syscall(SYS_waitid, 0, 0, NULL, 0, NULL));
    T(syscall(SYS_waitid, 0, 0, NULL, 4, NULL));
    T(syscall(SYS_clone3, BAD, 64L));
    T(syscall(SYS_clone3, BAD, 8L));
    T(syscall(SYS_clone, 0x10000L, 0L, NULL, NULL, 0L)); // CLONE_THREAD without CLONE_SIGHAND
    T(syscall(SYS_clone, 0x800L, 0L, NULL, NULL, 0L));   // CLONE_SIGHAND without CLONE_VM
    T(syscall(SYS_personality, 0xffffffffL));
    T(syscall(SYS_sched_setattr, 0, BAD, 0));
    T(syscall(SYS_umask, 022) >= 0);
    T(syscall(SYS_alarm, 0));
    return 0;
}
