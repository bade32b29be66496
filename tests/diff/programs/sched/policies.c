// sched_*: policies, parameters, attributes, their errors in order, and what children get.
#include "../t.h"
#include <sys/resource.h>
struct attr { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t min, max; };
static long set(pid_t p, int policy, int priority) { struct { int p; } s = {priority}; return syscall(SYS_sched_setscheduler, p, policy, &s); }
static void show(void) {
    struct { int p; } s = {-1};
    struct attr a = {0};
    syscall(SYS_sched_getparam, 0, &s);
    long r = syscall(SYS_sched_getattr, 0, &a, sizeof a, 0);
    printf("  policy %ld priority %d attr %ld: %u %llx %d %u nice %ld\n", syscall(SYS_sched_getscheduler, 0), s.p, r, a.policy, (unsigned long long)a.flags, a.nice, a.priority, 20 - syscall(SYS_getpriority, 0, 0));
}
#define IN_CHILD(...) do { fflush(stdout); if (fork() == 0) { __VA_ARGS__; _exit(0); } wait(NULL); } while (0)
int main(void) {
    struct attr a = {.size = sizeof a};
    syscall(SYS_setpriority, 0, 0, 0); // whatever the tester runs with
    show();
    for (int p = -1; p < 9; p++) printf("%d: %ld %ld\n", p, syscall(SYS_sched_get_priority_min, p), syscall(SYS_sched_get_priority_max, p));
    IN_CHILD(T(set(0, 1, 1)); show(); T(set(0, 2, 99)); show(); T(set(0, 1, 0)); T(set(0, 1, 100)); T(set(0, 1, -1)); T(set(0, 0, 1)); T(set(0, 0, 0)); show());
    IN_CHILD(T(set(0, 3, 0)); show(); T(set(0, 5, 0)); show(); T(set(0, 5, 1)); T(set(0, 4, 0)); T(set(0, 7, 0)); T(set(0, -1, 0)); T(set(0, 99, 0)));
    IN_CHILD(T(set(0, 1 | 0x40000000, 5)); show(); if (fork() == 0) { show(); _exit(0); } wait(NULL));
    IN_CHILD(T(set(0, 2, 7)); if (fork() == 0) { show(); _exit(0); } wait(NULL); setuid(1000); T(set(0, 2, 8)); T(set(0, 2, 6)); T(set(0, 0, 0)); T(set(0, 2, 1)); T(set(0, 5, 0)); show(); T(set(0, 0, 0)); show());
    T(set(1 << 22, 0, 0)); T(set(-5, 0, 0)); T(syscall(SYS_sched_setscheduler, 0, 0, NULL)); T(syscall(SYS_sched_setscheduler, 0, 0, BAD)); T(syscall(SYS_sched_setparam, 0, NULL)); T(syscall(SYS_sched_setparam, -1, &a)); T(syscall(SYS_sched_getparam, 0, NULL)); T(syscall(SYS_sched_getparam, -1, &a)); T(syscall(SYS_sched_getparam, 1 << 22, &a)); T(syscall(SYS_sched_getscheduler, -1)); T(syscall(SYS_sched_getscheduler, 1 << 22));
    struct timespec t;
    T(syscall(SYS_sched_rr_get_interval, -1, &t)); T(syscall(SYS_sched_rr_get_interval, 1 << 22, &t)); T(syscall(SYS_sched_rr_get_interval, 0, BAD));
    IN_CHILD(set(0, 2, 1); T(syscall(SYS_sched_rr_get_interval, 0, &t)); C(t.tv_sec == 0 && t.tv_nsec == 100000000); set(0, 1, 1); T(syscall(SYS_sched_rr_get_interval, 0, &t)); N(t.tv_nsec));
    // Attributes.
    T(syscall(SYS_sched_getattr, 0, &a, 47, 0)); T(syscall(SYS_sched_getattr, 0, &a, sizeof a, 1)); T(syscall(SYS_sched_getattr, 0, NULL, sizeof a, 0)); T(syscall(SYS_sched_getattr, -1, &a, sizeof a, 0)); T(syscall(SYS_sched_getattr, 1 << 22, &a, sizeof a, 0)); T(syscall(SYS_sched_getattr, 0, &a, 5000, 0)); T(syscall(SYS_sched_getattr, 0, BAD, sizeof a, 0));
    T(syscall(SYS_sched_getattr, 0, &a, 48, 0)); N(a.size);
    IN_CHILD(a = (struct attr){.size = 48, .nice = 5}; T(syscall(SYS_sched_setattr, 0, &a, 0)); show(); a.policy = 3; a.nice = 7; T(syscall(SYS_sched_setattr, 0, &a, 0)); show(); a.nice = 50; T(syscall(SYS_sched_setattr, 0, &a, 0)); show());
    IN_CHILD(a = (struct attr){.size = 48, .policy = 1, .priority = 3, .flags = 1}; T(syscall(SYS_sched_setattr, 0, &a, 0)); show(); a.flags = 0x100; T(syscall(SYS_sched_setattr, 0, &a, 0)); a.flags = 0; a.policy = 77; T(syscall(SYS_sched_setattr, 0, &a, 0)); a.size = 10; T(syscall(SYS_sched_setattr, 0, &a, 0)); N(a.size); a.size = 0; a.policy = 0; a.priority = 0; T(syscall(SYS_sched_setattr, 0, &a, 0)); T(syscall(SYS_sched_setattr, 0, NULL, 0)); T(syscall(SYS_sched_setattr, 0, BAD, 0)); a.size = 48; T(syscall(SYS_sched_setattr, 0, &a, 1)); T(syscall(SYS_sched_setattr, -1, &a, 0)); T(syscall(SYS_sched_setattr, 1 << 22, &a, 0)));
    return 0;
}
