// The files below /proc that run-time systems read to size themselves.
#include "t.h"

static char b[1 << 20];
static const char *slurp(const char *path) {
    int fd = open(path, O_RDONLY);
    long n = 0, r;
    if (fd < 0) return "";
    while ((r = read(fd, b + n, sizeof b - 1 - n)) > 0) n += r;
    b[n] = 0;
    close(fd);
    return b;
}

int main(void) {
    unsigned long total = 0, available = 0;
    double up = 0;
    slurp("/proc/meminfo");
    C(sscanf(strstr(b, "MemTotal:") ?: "", "MemTotal: %lu kB", &total) == 1 && total > 0);
    C(sscanf(strstr(b, "MemAvailable:") ?: "", "MemAvailable: %lu kB", &available) == 1 && available <= total);
    int processors = 0;
    for (const char *at = slurp("/proc/cpuinfo"); (at = strstr(at, "processor")); at++) processors++;
    C(processors == sysconf(_SC_NPROCESSORS_ONLN));
    C(strstr(b, "flags") && strstr(b, " sse2"));
    C(sscanf(slurp("/proc/uptime"), "%lf", &up) == 1 && up >= 0);
    C(strncmp(slurp("/proc/stat"), "cpu ", 4) == 0);
    C(strncmp(slurp("/proc/version"), "Linux version ", 14) == 0);
    C(atoi(slurp("/proc/sys/kernel/pid_max")) > 1000);
    C(atoi(slurp("/proc/sys/net/core/somaxconn")) >= 128);
    C(slurp("/proc/loadavg")[0] != 0);
    C(slurp("/proc/sys/vm/overcommit_memory")[0] != 0);
    return 0;
}
