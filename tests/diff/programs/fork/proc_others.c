// /proc of other processes: names, states, parents, descriptors, what a zombie still has.
// diff: cpus=2
#include "job.h"
#include <dirent.h>

static int p[2], q[2];
static int sleeper(void) { prctl(PR_SET_NAME, "a (b) c"); j_tell(p[1]); j_await(q[0]); return 7; }
static pid_t pid;
static void field(const char *file, const char *key) {
    char path[64], line[256];
    sprintf(path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");
    if (!f) { printf("%s: %s\n", file, t_name(errno)); return; }
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) printf("%s", line);
    fclose(f);
}
static void state(const char *what) {
    char path[64], text[512] = "";
    sprintf(path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0) { printf("%s: %s\n", what, t_name(errno)); return; }
    read(fd, text, sizeof text - 1);
    close(fd);
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    int parent = 0, group = 0, session = 0, tty = -1;
    char letter = 0;
    sscanf(end + 2, "%c %d %d %d %d", &letter, &parent, &group, &session, &tty);
    printf("%s: %.*s %c, parent %d group %d session %d\n", what, (int)(end - name + 1), name, letter, parent == getpid(), group == getpgrp(), session == getsid(0));
}
static void link_of(const char *name) {
    char path[64], to[300] = "";
    sprintf(path, "/proc/%d/%s", pid, name);
    long n = readlink(path, to, sizeof to - 1);
    if (n < 0) printf("%s: %s\n", name, t_name(errno));
    else printf("%s: %s\n", name, strncmp(to, "pipe:", 5) == 0 ? "a pipe" : strcmp(name, "exe") == 0 ? "a program" : to);
}

int main(void) {
    pipe(p), pipe(q);
    chdir("/");
    pid = j_start(sleeper);
    j_await(p[0]);
    for (int i = 0; i < 2000; i++) { // until it sleeps
        char path[64], text[300] = "";
        sprintf(path, "/proc/%d/stat", pid);
        int fd = open(path, O_RDONLY);
        read(fd, text, sizeof text - 1), close(fd);
        if (strstr(text, ") S ")) break;
        t_sleep_ms(1);
    }
    state("sleeps");
    field("status", "State:"); field("status", "Threads:"); field("comm", "");
    link_of("cwd"); link_of("root"); link_of("exe"); link_of("fd/5"); link_of("fd/77");
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    state("stopped"); field("status", "State:");
    kill(pid, SIGCONT);
    waitpid(pid, NULL, WCONTINUED);
    j_tell(q[1]);
    waitid(P_PID, pid, NULL, WEXITED | WNOWAIT);
    state("zombie"); field("status", "State:"); field("comm", "");
    link_of("cwd"); link_of("exe"); link_of("fd/5");
    char path[64], text[64] = "";
    sprintf(path, "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY);
    T(read(fd, text, sizeof text));
    sprintf(path, "/proc/%d/task/%d/stat", pid, pid);
    T(access(path, F_OK));
    j_wait("end", pid, 0);
    state("gone");
    sprintf(path, "/proc/%d", pid);
    T(access(path, F_OK));
    T(lseek(fd, 0, SEEK_SET)); T(read(fd, text, sizeof text));
    return 0;
}
