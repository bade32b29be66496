/* What the programs have in common: how long to repeat an operation, and how to say what it took.
 *
 * A program prints for each measure, and rkt-bench reads line by line:
 *     begin NAME
 *     end NAME OPERATIONS NANOSECONDS
 * Between the two it does nothing but the operation, so that the reader can take the machine's
 * processor time at the arrival of the lines. `note TEXT` is passed on to the user. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Does an operation n times. */
typedef void (*operation)(long n);

static double budget_ns;

static void check(int good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_ns(void) {
    struct timespec t;
    check(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock_gettime");
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static double time_of(operation f, long n) {
    double start = now_ns();
    f(n);
    return now_ns() - start;
}

/* The better of two, as an interruption may hit one. */
static double undisturbed(operation f, long n) {
    double one = time_of(f, n), two = time_of(f, n);
    return one < two ? one : two;
}

/* Finds by doubling how often f fits into a tenth of the budget, then measures ten times that. */
static void measure(const char *name, operation f) {
    long n = 16;
    double took;
    while ((took = undisturbed(f, n)) < budget_ns / 10 && n < 1L << 40)
        n *= 2;
    long operations = n * (budget_ns / took);
    if (operations < 16)
        operations = 16;
    printf("begin %s\n", name);
    fflush(stdout);
    took = time_of(f, operations);
    printf("end %s %ld %.0f\n", name, operations, took);
    fflush(stdout);
}

/* The first argument is the budget of a measure in milliseconds. */
static void start(int argc, char **argv) {
    check(argc > 1 && atof(argv[1]) > 0, "usage: PROGRAM MILLISECONDS …");
    budget_ns = atof(argv[1]) * 1e6;
}
