// diff: libc=glibc
// PR_SET_SECUREBITS and what its bits do to set*id calls, execve and ambient capabilities.
#include "../t.h"
#include <sys/prctl.h>
#include <sys/fsuid.h>
#include <linux/securebits.h>
#include <linux/capability.h>

static void caps(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    syscall(SYS_capget, &head, data);
    printf("  effective %d permitted %d inheritable %d ambient %d\n", data[0].effective >> CAP_SETUID & 1, data[0].permitted >> CAP_SETUID & 1,
           data[0].inheritable >> CAP_SETUID & 1, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SETUID, 0, 0));
}

#define CHILD for (int once_ = (fflush(stdout), fork()) == 0; once_; _exit(0))

int main(int argc, char **argv) {
    if (argc > 1) { caps(); return 0; }
    T(prctl(PR_GET_SECUREBITS));
    CHILD { T(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)); T(setresuid(5, 5, 5)); caps(); T(setfsuid(7)); caps(); T(setuid(0)); caps(); }
    wait(NULL);
    CHILD { T(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)); T(setresuid(5, 5, 5)); T(access("/root", R_OK)); execl("/proc/self/exe", "x", "caps", NULL); }
    wait(NULL);
    CHILD { T(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT)); caps(); execl("/proc/self/exe", "x", "caps", NULL); }
    wait(NULL);
    CHILD { T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)); T(prctl(PR_GET_KEEPCAPS)); T(setresuid(5, 5, 5)); caps(); execl("/proc/self/exe", "x", "caps", NULL); }
    wait(NULL);
    CHILD {
        struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct data[2];
        syscall(SYS_capget, &head, data); data[0].inheritable = data[0].permitted; data[1].inheritable = data[1].permitted; T(syscall(SYS_capset, &head, data));
        T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0)); caps();
        T(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE)); caps(); T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SETUID, 0, 0));
        T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0)); T(prctl(PR_SET_SECUREBITS, 0)); T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0));
        T(prctl(PR_SET_KEEPCAPS, 1)); T(setresuid(5, 5, 5)); caps(); T(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0)); caps();
        execl("/proc/self/exe", "x", "caps", NULL);
    }
    wait(NULL);
    CHILD {
        T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED)); T(prctl(PR_SET_KEEPCAPS, 1)); T(prctl(PR_SET_KEEPCAPS, 0)); T(prctl(PR_SET_KEEPCAPS, 2));
        T(prctl(PR_SET_SECUREBITS, 0)); T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_KEEP_CAPS)); T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT));
        T(prctl(PR_GET_SECUREBITS)); T(prctl(PR_SET_SECUREBITS, 0x10000)); T(prctl(PR_SET_SECUREBITS, -1L)); T(prctl(PR_SET_SECUREBITS, 1L << 32));
        CHILD T(prctl(PR_GET_SECUREBITS));
        wait(NULL);
        T(setresuid(5, 5, 5)); T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP)); T(prctl(PR_GET_SECUREBITS)); T(prctl(PR_SET_KEEPCAPS, 1));
    }
    wait(NULL);
    CHILD { setuid(1); T(prctl(PR_SET_SECUREBITS, 0)); T(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)); T(prctl(PR_SET_KEEPCAPS, 1)); T(prctl(PR_GET_SECUREBITS)); }
    wait(NULL);
    return 0;
}
