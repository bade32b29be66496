/* Calls that do next to nothing, and the ways into the kernel. */
#include "bench.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static int epoll;

static void getpid_by_libc(long n) {
    while (n--)
        getpid();
}

static void getpid_by_syscall(long n) {
    while (n--)
        syscall(SYS_getpid);
}

/* Register to register before the instruction and padding behind it: none of the shapes that
 * compilers and libcs give a call, so an interceptor that rewrites those has to trap here. */
static void getpid_trapped(long n) {
    while (n--) {
        long result, number = SYS_getpid;
        __asm__ volatile("mov %1, %%rax\n\tsyscall\n\tnop\n\tnop\n\tnop"
                         : "=&a"(result)
                         : "r"(number)
                         : "rcx", "r11", "memory");
    }
}

static void clock_monotonic(long n) {
    struct timespec t;
    while (n--)
        clock_gettime(CLOCK_MONOTONIC, &t);
}

static void epoll_wait_ready(long n) {
    struct epoll_event event;
    while (n--)
        epoll_wait(epoll, &event, 1, -1);
}

int main(int argc, char **argv) {
    start(argc, argv);
    epoll = epoll_create1(0);
    int ready = eventfd(1, 0);
    struct epoll_event event = {.events = EPOLLIN};
    check(epoll >= 0 && ready >= 0, "epoll_create1, eventfd");
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, ready, &event) == 0, "epoll_ctl");
    measure("getpid, glibc", getpid_by_libc);
    measure("getpid, syscall()", getpid_by_syscall);
    measure("getpid, site that traps", getpid_trapped);
    measure("clock_gettime", clock_monotonic);
    measure("epoll_wait, ready", epoll_wait_ready);
    return 0;
}
