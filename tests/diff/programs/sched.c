// sched_yield, affinity, getcpu, policies, priorities.
#include "t.h"
#include <sys/resource.h>

int main(void) {
    cpu_set_t set;
    T(sched_yield());
    CPU_ZERO(&set);
    T(sched_getaffinity(0, sizeof set, &set));
    C(CPU_COUNT(&set) >= 1);
    C(syscall(SYS_sched_getaffinity, 0, sizeof set, &set) % 8 == 0);
    T(syscall(SYS_sched_getaffinity, 0, 3L, &set));
    T(syscall(SYS_sched_getaffinity, 99999999, sizeof set, &set));
    T(sched_setaffinity(0, sizeof set, &set));
    CPU_ZERO(&set);
    T(sched_setaffinity(0, sizeof set, &set));
    unsigned cpu = 9999, node = 9999;
    T(syscall(SYS_getcpu, &cpu, &node, NULL));
    C(cpu < 1024 && node < 64);
    C(sched_getcpu() >= 0);
    T(syscall(SYS_sched_getscheduler, 0));
    struct sched_param p = {0};
    T(syscall(SYS_sched_getparam, 0, &p));
    N(p.sched_priority);
    T(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p));
    T(syscall(SYS_sched_setscheduler, 0, 99, &p));
    T(syscall(SYS_sched_get_priority_max, SCHED_FIFO));
    T(syscall(SYS_sched_get_priority_min, SCHED_FIFO));
    T(syscall(SYS_sched_get_priority_max, SCHED_OTHER));
    T(syscall(SYS_sched_get_priority_max, 99));
    T(getpriority(PRIO_PROCESS, 0) >= -20);
    T(getpriority(99, 0));
    T(setpriority(PRIO_PROCESS, 0, 10));
    T(getpriority(PRIO_PROCESS, 0));
    T(nice(5));
    T(getpriority(PRIO_PROCESS, 0));
    T(setpriority(PRIO_PROCESS, 0, 100));
    T(getpriority(PRIO_PROCESS, 0));
    return 0;
}
