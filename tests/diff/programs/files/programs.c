// diff: libc=glibc
// Programs with set-user-ID, set-group-ID and odd permissions: who may run them, and as whom.
#include "files.h"
#include <sys/prctl.h>
#include <sys/mount.h>

static void copy(const char *to) {
    char b[65536]; long n; int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755);
    while ((n = read(in, b, sizeof b)) > 0) if (write(out, b, n) != n) exit(97);
    close(in), close(out);
}
static void who(void) {
    unsigned r, e, s, g, h, i; getresuid(&r, &e, &s); getresgid(&g, &h, &i);
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0}; struct __user_cap_data_struct d[2];
    syscall(SYS_capget, &head, d);
    printf("  %u/%u/%u %u/%u/%u permitted %d effective %d dumpable %d secure %lu\n", r, e, s, g, h, i, d[0].permitted != 0, d[0].effective != 0, prctl(PR_GET_DUMPABLE), 0ul);
}
static void run(const char *name, unsigned uid, unsigned gid, int no_new) {
    printf("%s as %u:%u%s\n", name, uid, gid, no_new ? " no new privileges" : ""); fflush(stdout);
    if (fork() == 0) {
        setgroups(0, NULL); setresgid(gid, gid, gid); setresuid(uid, uid, uid);
        if (no_new) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execl(name, name, "who", NULL); printf("  %s\n", t_name(errno)); fflush(stdout); _exit(0);
    }
    wait(NULL);
}

int main(int argc, char **argv) {
    if (argc > 1) { who(); return 0; }
    f_scratch();
    copy("prog"); chown("prog", 3000, 4000);
    const int modes[] = {0755, 04755, 02755, 06755, 02745, 0744, 0700, 0000, 0111, 04711};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        chmod("prog", modes[i]); printf("mode %o\n", modes[i]); run("./prog", 1000, 1000, 0); run("./prog", 0, 0, 0);
        if (modes[i] & 06000) run("./prog", 1000, 1000, 1);
    }
    chmod("prog", 0750); run("./prog", 1000, 4000, 0); run("./prog", 3000, 1, 0); chown("prog", 0, 0); chmod("prog", 06755);
    run("./prog", 1000, 1000, 0); run("./prog", 1000, 1000, 1);
    chmod("prog", 0644); run("./prog", 0, 0, 0); run("./prog", 1000, 1000, 0); mkdir("dir", 0755); run("./dir", 0, 0, 0);
    run("./missing", 0, 0, 0); mkfifo("p", 0777); run("./p", 0, 0, 0); f_make("empty", "", 0755); run("./empty", 0, 0, 0);
    f_make("text", "no magic", 0755); run("./text", 0, 0, 0); f_make("script", "#!/nowhere/sh\n", 0755);
    run("./script", 0, 0, 0); mkdir("closed", 0700); copy("closed/prog"); run("closed/prog", 1000, 1000, 0); copy("busy");
    int w = open("busy", O_WRONLY); run("./busy", 0, 0, 0); close(w); run("./busy", 0, 0, 0); run("./busy/", 0, 0, 0);
    run("./prog/x", 0, 0, 0); run("", 0, 0, 0);
    symlink("busy", "link"); run("./link", 1000, 1000, 0); int fd = open("busy", O_RDONLY | O_CLOEXEC); fflush(stdout);
    if (fork() == 0) {
        char *a[] = {"x", "who", NULL}; T(syscall(SYS_execveat, fd, "", a, NULL, 0));
        T(syscall(SYS_execveat, fd, "x", a, NULL, 0)); T(syscall(SYS_execveat, -1, "", a, NULL, AT_EMPTY_PATH));
        T(syscall(SYS_execveat, AT_FDCWD, "link", a, NULL, AT_SYMLINK_NOFOLLOW));
        T(syscall(SYS_execveat, AT_FDCWD, "busy", a, NULL, 0x10)); fflush(stdout);
        syscall(SYS_execveat, fd, "", a, NULL, AT_EMPTY_PATH); _exit(1);
    }
    wait(NULL); C(open("prog", O_WRONLY) > 0);
    return 0;
}
