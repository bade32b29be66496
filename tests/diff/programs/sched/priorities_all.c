// getpriority, setpriority, nice, ioprio: targets, limits, rights, errors; affinity masks.
#include "../t.h"
#include <sys/resource.h>
#define IN_CHILD(...) do { fflush(stdout); if (fork() == 0) { __VA_ARGS__; _exit(0); } wait(NULL); } while (0)
static long get(int w, int who) { return syscall(SYS_getpriority, w, who); }
static long set(int w, int who, int n) { return syscall(SYS_setpriority, w, who, n); }
int main(void) {
    setpriority(PRIO_PROCESS, 0, 0);
    T(get(0, 0)); T(get(3, 0)); T(get(-1, 0)); T(get(0, 1 << 22)); T(get(0, -2)); T(get(1, 1 << 22)); T(get(2, 987654));
    T(set(3, 0, 0)); T(set(0, 1 << 22, 0)); T(set(0, -2, 0)); T(set(1, -2, 0)); T(set(2, 987654, 0));
    IN_CHILD(T(set(0, 0, 100)); T(get(0, 0)); T(set(0, 0, -100)); T(get(0, 0)); T(set(0, 0, 3)); if (fork() == 0) { T(get(0, 0)); _exit(0); } wait(NULL));
    IN_CHILD(setuid(1000); T(set(0, 0, 5)); T(set(0, 0, 5)); T(set(0, 0, 4)); T(set(0, getppid(), 5)); T(get(0, getppid())); errno = 0; T(nice(2)); T(nice(-1)); T(nice(40)));
    IN_CHILD(setpgid(0, 0); T(set(1, 0, 7)); T(get(1, 0)); if (fork() == 0) { T(set(0, 0, 9)); T(get(1, 0)); _exit(0); } wait(NULL));
    // I/O priorities.
    T(syscall(SYS_ioprio_get, 1, 0)); T(syscall(SYS_ioprio_get, 0, 0)); T(syscall(SYS_ioprio_get, 1, 1 << 22)); T(syscall(SYS_ioprio_set, 1, 0, 4 << 13)); T(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 8)); T(syscall(SYS_ioprio_set, 4, 0, 2 << 13 | 4));
    IN_CHILD(T(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6)); T(syscall(SYS_ioprio_get, 1, 0)); if (fork() == 0) { T(syscall(SYS_ioprio_get, 1, 0)); _exit(0); } wait(NULL); T(syscall(SYS_ioprio_set, 1, 0, 3 << 13)); T(syscall(SYS_ioprio_get, 1, 0)); T(syscall(SYS_ioprio_set, 1, 0, 0)); T(syscall(SYS_ioprio_set, 1, 0, 3)));
    IN_CHILD(setuid(1000); T(syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4)); T(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 1)); T(syscall(SYS_ioprio_set, 1, getppid(), 2 << 13 | 1)));
    // Affinity.
    unsigned long m[128] = {0};
    T(syscall(SYS_sched_setaffinity, 0, 8L, m)); // none
    m[0] = 1;
    T(syscall(SYS_sched_setaffinity, 0, 8L, m)); T(syscall(SYS_sched_setaffinity, 0, 1L, m)); T(syscall(SYS_sched_setaffinity, 0, 1024L, m)); T(syscall(SYS_sched_setaffinity, 0, 8L, BAD)); T(syscall(SYS_sched_setaffinity, 1 << 22, 8L, m)); T(syscall(SYS_sched_setaffinity, -1, 8L, m)); T(syscall(SYS_sched_setaffinity, 0, 0L, m));
    m[0] = 0; m[1] = 1;
    T(syscall(SYS_sched_setaffinity, 0, 16L, m)); // only processors that there are not
    T(syscall(SYS_sched_getaffinity, 0, 4L, m)); T(syscall(SYS_sched_getaffinity, 0, 9L, m)); T(syscall(SYS_sched_getaffinity, 0, 1024L, m) > 0); N(m[0]); T(syscall(SYS_sched_getaffinity, 0, 8L, BAD)); T(syscall(SYS_sched_getaffinity, -1, 8L, m)); T(syscall(SYS_sched_getaffinity, 1 << 22, 8L, m));
    IN_CHILD(setuid(1000); T(syscall(SYS_sched_setaffinity, getppid(), 8L, m)); T(syscall(SYS_sched_getaffinity, getppid(), 8L, m) > 0));
    unsigned cpu = 9, node = 9;
    T(syscall(SYS_getcpu, &cpu, &node, NULL)); N(cpu); N(node); T(syscall(SYS_getcpu, BAD, NULL, NULL)); T(syscall(SYS_getcpu, NULL, NULL, NULL));
    return 0;
}
