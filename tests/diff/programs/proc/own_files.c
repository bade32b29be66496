// /proc/self: which files there are, their types and rights, and what does not vary in them.
#include "../t.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
static char text[65536];
static long slurp(const char *name) {
    int fd = open(name, O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n >= 0) text[n] = 0;
    if (fd >= 0) close(fd);
    return n;
}
int main(void) {
    static const char *names[] = {"auxv", "cmdline", "comm", "cwd", "environ", "exe", "fd", "fdinfo", "limits", "maps", "mountinfo", "mounts", "oom_score", "oom_score_adj", "personality", "root", "smaps", "stat", "statm", "status", "task"};
    char path[64];
    struct stat st;
    syscall(SYS_setpriority, 0, 0, 0); // whatever the tester runs with
    prctl(PR_SET_NAME, "renamed", 0, 0, 0);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        int r = lstat(path, &st);
        printf("%s: %d %o\n", names[i], r, st.st_mode);
    }
    // The auxiliary vector.
    long n = slurp("/proc/self/auxv");
    Elf64_auxv_t *v = (Elf64_auxv_t *)text;
    int same = 0, wrong = 0;
    for (long i = 0; i < n / 16; i++) if (v[i].a_type == AT_PHDR || v[i].a_type == AT_ENTRY || v[i].a_type == AT_PAGESZ || v[i].a_type == AT_RANDOM) { if (getauxval(v[i].a_type) == v[i].a_un.a_val) same++; else wrong++; }
    N(same); N(wrong); C(n > 0 && v[n / 16 - 1].a_type == AT_NULL);
    slurp("/proc/self/comm"); S(text);
    slurp("/proc/self/personality"); S(text);
    slurp("/proc/self/oom_score_adj"); S(text);
    // stat: 52 fields; some are known.
    slurp("/proc/self/stat");
    char *p = strrchr(text, ')');
    C(p && strstr(text, "(renamed)"));
    int fields = 2;
    char state = p[2];
    long f[53] = {0};
    for (char *t = strtok(p + 2, " "); t; t = strtok(NULL, " ")) f[++fields] = atol(t);
    N(fields); printf("%c\n", state);
    C(f[4] == getppid()); C(f[5] == getpgrp()); C(f[6] == getsid(0)); N(f[18]); N(f[19]); N(f[20]); C(f[23] > 0); C(f[26] < f[27]); N(f[38]); N(f[40]); N(f[41]);
    // status: its keys in order, up to what depends on the configuration.
    slurp("/proc/self/status");
    for (char *l = strtok(text, "\n"); l && strncmp(l, "Seccomp", 7); l = strtok(NULL, "\n")) {
        char *colon = strchr(l, ':');
        if (!strncmp(l, "untag", 5) || !strncmp(l, "x86", 3)) continue;
        printf("%.*s ", (int)(colon - l), l);
    }
    puts("");
    slurp("/proc/self/limits");
    for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) printf("%.26s| %s\n", l, l + 68);
    // Descriptors.
    int fd = open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    lstat(path, &st); printf("%o\n", st.st_mode);
    n = readlink(path, text, sizeof text); text[n] = 0; S(text);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    slurp(path);
    printf("%.27s\n", text);
    T(open("/proc/self/fd/77", O_RDONLY)); T(readlink("/proc/self/fd/77", text, 10)); T(open("/proc/999999/stat", O_RDONLY)); T(open("/proc/self/nothing", O_RDONLY)); T(unlink("/proc/self/stat"));
    n = slurp("/proc/self/statm"); int count = 0;
    for (char *t = strtok(text, " \n"); t; t = strtok(NULL, " \n")) count++;
    N(count);
    return 0;
}
