// /proc/self beyond status and maps: ids, counters, memory as a file, namespaces.
#include "../t.h"
#include <sys/prctl.h>
static char text[65536];
static long slurp(const char *name) {
    int fd = open(name, O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n >= 0) text[n] = 0;
    if (fd >= 0) close(fd);
    return n;
}
static long field(const char *name) {
    char *at = strstr(text, name);
    return at ? atol(at + strlen(name)) : -1;
}
static long put(const char *name, const char *what) {
    int fd = open(name, O_WRONLY);
    if (fd < 0) return -1;
    long n = write(fd, what, strlen(what));
    int error = errno;
    close(fd);
    errno = error;
    return n;
}
static volatile char secret[] = "a secret word";
static const char fixed[] = "constant";

int main(void) {
    static const char *names[] = {"io", "mem", "mountstats", "ns", "schedstat", "sessionid", "setgroups", "smaps_rollup", "timerslack_ns", "uid_map", "gid_map", "projid_map", "wchan"};
    struct stat st;
    char path[64];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        int r = lstat(path, &st);
        printf("%s: %d %o\n", names[i], r, st.st_mode);
    }
    slurp("/proc/self/setgroups"); S(text);
    slurp("/proc/self/wchan"); S(text);
    slurp("/proc/self/timerslack_ns"); S(text);
    T(put("/proc/self/timerslack_ns", "70000")); N(prctl(PR_GET_TIMERSLACK));
    T(put("/proc/self/timerslack_ns", "0")); N(prctl(PR_GET_TIMERSLACK));
    T(put("/proc/self/timerslack_ns", "x"));
    T(put("/proc/self/uid_map", "0 0 1")); T(put("/proc/self/setgroups", "deny"));

    // Counters: a read of 10 bytes and a write of 20.
    int fd = open("/dev/zero", O_RDWR);
    slurp("/proc/self/io");
    long r = field("rchar: "), w = field("wchar: "), sr = field("syscr: "), sw = field("syscw: "), first = strlen(text);
    char buf[32];
    read(fd, buf, 10); write(fd, buf, 20); pwrite(fd, buf, 3, 0);
    slurp("/proc/self/io");
    N(field("rchar: ") - r - first); N(field("wchar: ") - w); N(field("syscr: ") - sr); N(field("syscw: ") - sw);
    C(field("cancelled_write_bytes: ") >= 0);
    long a, b, c;
    slurp("/proc/self/schedstat"); N(sscanf(text, "%ld %ld %ld", &a, &b, &c));

    // Memory.
    int mem = open("/proc/self/mem", O_RDWR);
    C(mem >= 0);
    memset(buf, 0, sizeof buf);
    T(pread(mem, buf, 13, (off_t)secret)); S(buf);
    T(pwrite(mem, "A", 1, (off_t)secret)); S((char *)secret);
    T(pread(mem, buf, 8, (off_t)fixed)); T(pread(mem, buf, 8, 8)); T(pread(mem, buf, 0, 8)); T(pread(mem, BAD, 8, (off_t)fixed));
    char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two + PAGE, PAGE);
    T(pread(mem, buf, 32, (off_t)two + PAGE - 16)); T(pread(mem, buf, 16, (off_t)two + PAGE));
    T(pwrite(mem, buf, 16, (off_t)two + PAGE)); T(pwrite(mem, buf, 32, (off_t)two + PAGE - 16));
    C(lseek(mem, (off_t)two, SEEK_SET) == (off_t)two); C(lseek(mem, 16, SEEK_CUR) == (off_t)two + 16);
    T(lseek(mem, 0, SEEK_END)); T(read(mem, buf, 16)); C(lseek(mem, 0, SEEK_CUR) == (off_t)two + 32);

    // Of a child; its memory goes with it.
    secret[0] = 'P';
    int to[2];
    pipe(to);
    pid_t child = fork();
    if (!child) { secret[0] = 'C'; read(to[0], buf, 1); _exit(0); }
    usleep(50000);
    snprintf(path, sizeof path, "/proc/%d/mem", child);
    int other = open(path, O_RDWR);
    memset(buf, 0, sizeof buf);
    T(pread(other, buf, 13, (off_t)secret)); S(buf); S((char *)secret);
    write(to[1], "", 1);
    waitpid(child, NULL, 0);
    T(pread(other, buf, 13, (off_t)secret)); T(open(path, O_RDONLY));

    // Namespaces: a child has the same.
    static const char *kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        long n = readlink(path, text, sizeof text);
        text[n < 0 ? 0 : n] = 0;
        char kind[32];
        unsigned long ino = 0;
        printf("%d ", sscanf(text, "%31[^:]:[%lu]", kind, &ino));
        stat(path, &st);
        printf("%s %s %o\n", kind, st.st_ino == ino ? "same" : "other", st.st_mode);
        int ns = open(path, O_RDONLY);
        C(ns >= 0); T(read(ns, buf, 1));
        close(ns);
    }
    struct stat in_task;
    stat("/proc/self/ns/net", &st); stat("/proc/thread-self/ns/net", &in_task);
    C(st.st_ino == in_task.st_ino && st.st_dev == in_task.st_dev);
    slurp("/proc/self/smaps_rollup");
    C(strstr(text, "[rollup]\nRss: ") != NULL); C(field("Rss:") > 0);
    return 0;
}
