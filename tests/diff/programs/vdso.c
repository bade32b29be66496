/* The clocks that libraries read through the vDSO (vdso(7)) agree with the system calls. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long apart(struct timespec from, struct timespec to) {
    return (to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec;
}

/* Whether three readings, the middle one by a system call, are in order. */
static int in_order(clockid_t clock) {
    struct timespec first, call, last;
    clock_gettime(clock, &first);
    syscall(SYS_clock_gettime, clock, &call);
    clock_gettime(clock, &last);
    return apart(first, call) >= 0 && apart(call, last) >= 0;
}

int main(void) {
    const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    printf("image %d\n", image && memcmp(image, "\177ELF\2\1\1", 7) == 0);
    const clockid_t precise[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI};
    for (unsigned i = 0; i < sizeof precise / sizeof *precise; i++)
        printf("clock %d in order %d\n", precise[i], in_order(precise[i]));
    for (int clock = -1; clock < 14; clock++) {
        struct timespec resolution = {9, 9};
        int answer = clock_getres(clock, &resolution);
        printf("resolution %d: %d %ld %ld, null %d\n", clock, answer, (long)resolution.tv_sec,
               resolution.tv_nsec, clock_getres(clock, NULL));
    }
    struct timeval day;
    struct timezone zone = {7, 7};
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before);
    printf("gettimeofday %d\n", gettimeofday(&day, &zone));
    clock_gettime(CLOCK_REALTIME, &after);
    struct timespec between = {day.tv_sec, day.tv_usec * 1000 + 999};
    printf("zone %d %d, in order %d\n", zone.tz_minuteswest, zone.tz_dsttime,
           apart(before, between) >= 0 && apart(after, between) < 1000);
    time_t stored = 0, answer = time(&stored);
    printf("time %d %d\n", stored == answer, answer - after.tv_sec <= 1);
    return 0;
}
