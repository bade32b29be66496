// What programs look up about themselves in /proc/self.
// diff: args=an argument
#include "t.h"
#include <dirent.h>

static char b[65536];
static long slurp(const char *path) {
    int fd = open(path, O_RDONLY);
    long n = 0, r;
    if (fd < 0) return -1;
    while ((r = read(fd, b + n, sizeof b - 1 - n)) > 0) n += r;
    b[n] = 0;
    close(fd);
    return n;
}
static void status(const char *key) {
    char *line = strstr(b, key);
    printf("%.*s\n", line ? (int)strcspn(line, "\n") : 7, line ? line : "missing");
}

int main(int argc, char **argv) {
    t_scratch();
    char link[4096] = "";
    C(readlink("/proc/self/exe", link, sizeof link - 1) > 0 && strcmp(link, argv[0]) == 0);
    long n = slurp("/proc/self/cmdline");
    C(n == (long)(strlen(argv[0]) + 1 + 3 + 9) && strcmp(b, argv[0]) == 0 && memcmp(b + strlen(b) + 1, "an\0argument", 12) == 0);
    slurp("/proc/self/comm");
    C(strncmp(b, strrchr(argv[0], '/') + 1, strlen(b) - 1) == 0 && b[strlen(b) - 1] == '\n');
    slurp("/proc/self/status");
    status("State:"); status("Threads:"); status("Uid:"); status("Gid:"); status("TracerPid:");
    char *pid = strstr(b, "\nPid:");
    C(pid && atoi(pid + 5) == getpid());
    C(strstr(b, "VmRSS:") && strstr(b, "VmSize:") && strstr(b, "SigBlk:"));
    slurp("/proc/self/stat");
    int number = 0;
    char state = 0;
    C(sscanf(b, "%d", &number) == 1 && number == getpid());
    C(sscanf(strrchr(b, ')'), ") %c", &state) == 1 && state == 'R');
    C(slurp("/proc/self/statm") > 0);
    memset(link, 0, sizeof link);
    int fd = t_file("a-file", "");
    char path[64], cwd[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    C(readlink(path, link, sizeof link - 1) > 0 && strcmp(strrchr(link, '/'), "/a-file") == 0);
    memset(link, 0, sizeof link);
    C(readlink("/proc/self/cwd", link, sizeof link - 1) > 0 && strcmp(link, getcwd(cwd, sizeof cwd)) == 0);
    T(readlink("/proc/self/fd/99", link, 10));
    int again = T(open(path, O_RDWR));
    T(write(again, "x", 1));
    T(lseek(fd, 0, SEEK_CUR)); // opened anew, not duplicated
    DIR *dir = opendir("/proc/self/fd");
    int seen = 0;
    for (struct dirent *e; (e = readdir(dir));) if (e->d_name[0] != '.') seen |= 1 << atoi(e->d_name);
    N(seen & 0x1f); // 0 to 4; the directory itself is another
    closedir(dir);
    unlink("a-file");
    memset(link, 0, sizeof link);
    readlink(path, link, sizeof link - 1);
    S(strrchr(link, '/'));
    T(open("/proc/self/nothing", O_RDONLY));
    T(open("/proc/self/stat", O_WRONLY | O_CREAT | O_EXCL, 0644));
    T(access("/proc/self/task", F_OK));
    return argc != 3;
}
