// diff: libc=glibc
// access(2) judges by real ids, faccessat2 with AT_EACCESS by effective ones, file operations by file-system ids.
#include "files.h"
#include <sys/fsuid.h>

static long eaccess_(const char *name, int mode) { return syscall(SYS_faccessat2, AT_FDCWD, name, mode, AT_EACCESS); }
static long opened(const char *name, int flags) {
    int fd = open(name, flags);
    if (fd >= 0) close(fd);
    return fd < 0 ? -1 : 0;
}

static void look(void) {
    T(access("own", R_OK)); T(eaccess_("own", R_OK)); T(opened("own", O_RDONLY));
    T(access("root", R_OK)); T(eaccess_("root", R_OK)); T(opened("root", O_RDONLY));
    T(access("group", W_OK)); T(eaccess_("group", W_OK)); T(opened("group", O_WRONLY));
    T(access("dir/in", F_OK)); T(eaccess_("dir/in", F_OK)); T(opened("dir/in", O_RDONLY));
}

int main(void) {
    f_scratch();
    f_make("own", "", 0600); chown("own", 1000, 1000);
    f_make("root", "", 0600);
    f_make("group", "", 0060); chown("group", 3, 2000);
    mkdir("dir", 0700); chown("dir", 1000, 1000); f_make("dir/in", "", 0666);
    fflush(stdout);
    if (fork() == 0) { setgroups(0, NULL); puts("real 1000, effective 0"); setresuid(1000, 0, 0); look(); _exit(0); }
    wait(NULL);
    if (fork() == 0) { setgroups(0, NULL); puts("real 0, effective 1000"); setresuid(0, 1000, 0); look(); _exit(0); }
    wait(NULL);
    if (fork() == 0) { setgroups(0, NULL); puts("real 0, effective 1000, saved 5"); setresuid(0, 1000, 5); look(); _exit(0); }
    wait(NULL);
    if (fork() == 0) { setgroups(0, NULL); puts("real group 2000"); setresgid(2000, 5, 5); setresuid(7, 7, 7); look(); _exit(0); }
    wait(NULL);
    if (fork() == 0) { setgroups(0, NULL); puts("effective group 2000"); setresgid(5, 2000, 5); setresuid(7, 7, 7); look(); _exit(0); }
    wait(NULL);
    if (fork() == 0) {
        setgroups(0, NULL);
        N(setfsuid(1000)); N(setfsuid(-1));
        look();
        T(opened("made by 1000", O_CREAT | O_WRONLY)); f_show("made by 1000");
        N(setfsgid(2000)); N(setfsgid(-1));
        T(mkdir("dir by 1000", 0755)); f_show("dir by 1000");
        N(setfsuid(0));
        look();
        N(setfsgid(0));
        _exit(0);
    }
    wait(NULL);
    T(access("own", 8)); T(access("own", -1)); T(access("missing", 8));
    T(syscall(SYS_faccessat2, AT_FDCWD, "own", R_OK, 1));
    T(syscall(SYS_faccessat2, AT_FDCWD, "", R_OK, AT_EMPTY_PATH));
    T(syscall(SYS_faccessat2, -1, "", R_OK, AT_EMPTY_PATH));
    T(syscall(SYS_faccessat2, 0, "own", R_OK, AT_SYMLINK_NOFOLLOW));
    symlink("missing", "dangling");
    T(access("dangling", F_OK)); T(syscall(SYS_faccessat2, AT_FDCWD, "dangling", W_OK, AT_SYMLINK_NOFOLLOW));
    int path = open("own", O_PATH);
    T(syscall(SYS_faccessat2, path, "", W_OK, AT_EMPTY_PATH));
    return 0;
}
