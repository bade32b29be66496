/* Files in the folder that is the second argument: reads from the page cache, fsync, and as many files
 * as the third argument says, made, looked at and removed. */
#include "bench.h"
#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK 4096
#define BLOCKS 4096
/* Files in one directory. */
#define DIRECTORY 1000

static const char *folder;
static int file;
static char buffer[BLOCK];

/* In an order that no read-ahead follows: BLOCKS is a power of two, the step odd. */
static off_t next_place(void) {
    static unsigned at;
    at = (at + 2654435769u) % BLOCKS;
    return (off_t)at * BLOCK;
}

static void cached_read(long n) {
    while (n--)
        check(pread(file, buffer, BLOCK, next_place()) == BLOCK, "pread");
}

static void cached_write(long n) {
    while (n--)
        check(pwrite(file, buffer, BLOCK, next_place()) == BLOCK, "pwrite");
}

static void durable_write(long n) {
    while (n--) {
        check(pwrite(file, buffer, BLOCK, next_place()) == BLOCK, "pwrite");
        check(fsync(file) == 0, "fsync");
    }
}

static void name_of(char *path, size_t len, long number) {
    snprintf(path, len, "%s/d%ld/f%ld", folder, number / DIRECTORY, number);
}

static void make_files(long n) {
    char path[4096];
    for (long i = 0; i < n; i++) {
        if (i % DIRECTORY == 0) {
            snprintf(path, sizeof path, "%s/d%ld", folder, i / DIRECTORY);
            check(mkdir(path, 0755) == 0, path);
        }
        name_of(path, sizeof path, i);
        int made = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
        check(made >= 0, path);
        close(made);
    }
}

static void stat_files(long n) {
    char path[4096];
    struct stat found;
    for (long i = 0; i < n; i++) {
        name_of(path, sizeof path, i);
        check(stat(path, &found) == 0, path);
    }
}

static void unlink_files(long n) {
    char path[4096];
    for (long i = 0; i < n; i++) {
        name_of(path, sizeof path, i);
        check(unlink(path) == 0, path);
    }
    for (long i = 0; i < n; i += DIRECTORY) {
        snprintf(path, sizeof path, "%s/d%ld", folder, i / DIRECTORY);
        check(rmdir(path) == 0, path);
    }
}

static void once(const char *what, operation f, long n) {
    printf("begin %s\n", what);
    fflush(stdout);
    double took = time_of(f, n);
    printf("end %s %ld %.0f\n", what, n, took);
    fflush(stdout);
}

int main(int argc, char **argv) {
    start(argc, argv);
    check(argc > 3 && atol(argv[3]) > 0, "usage: disk MILLISECONDS FOLDER FILES");
    folder = argv[2];
    char path[4096];
    snprintf(path, sizeof path, "%s/rkt-bench-XXXXXX", folder);
    file = mkstemp(path);
    check(file >= 0, path);
    unlink(path);
    for (int block = 0; block < BLOCKS; block++)
        check(write(file, buffer, BLOCK) == BLOCK, "write");
    check(fsync(file) == 0, "fsync");
    measure("read of 4 KiB from the page cache", cached_read);
    measure("write of 4 KiB into the page cache", cached_write);
    check(fsync(file) == 0, "fsync");
    measure("write of 4 KiB and fsync", durable_write);
    long files = atol(argv[3]);
    once("create of a file", make_files, files);
    once("stat of a file", stat_files, files);
    once("unlink of a file", unlink_files, files);
    return 0;
}
