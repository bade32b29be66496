/* Reads from a file of a tmpfs, in the folder that is the second argument; a byte through a pipe. */
#include "bench.h"
#include <fcntl.h>

#define FILE_LEN (1 << 20)

static int file, ends[2];
static char buffer[4096];

/* From start to end, over and over: the seek back does not weigh. */
static void read_n(long n, size_t len) {
    for (size_t at = FILE_LEN; n--; at += len) {
        if (at == FILE_LEN) {
            at = 0;
            check(lseek(file, 0, SEEK_SET) == 0, "lseek");
        }
        check(read(file, buffer, len) == (ssize_t)len, "read");
    }
}

static void read_1(long n) { read_n(n, 1); }
static void read_4096(long n) { read_n(n, sizeof buffer); }

static void pread_n(long n, size_t len) {
    while (n--)
        check(pread(file, buffer, len, 0) == (ssize_t)len, "pread");
}

static void pread_1(long n) { pread_n(n, 1); }
static void pread_4096(long n) { pread_n(n, sizeof buffer); }

static void pipe_byte(long n) {
    while (n--) {
        check(write(ends[1], buffer, 1) == 1, "write");
        check(read(ends[0], buffer, 1) == 1, "read");
    }
}

int main(int argc, char **argv) {
    start(argc, argv);
    check(argc > 2, "usage: files MILLISECONDS FOLDER");
    char path[4096];
    snprintf(path, sizeof path, "%s/rkt-bench-XXXXXX", argv[2]);
    file = mkstemp(path);
    check(file >= 0, path);
    unlink(path);
    for (int written = 0; written < FILE_LEN; written += sizeof buffer)
        check(write(file, buffer, sizeof buffer) == sizeof buffer, "write");
    check(pipe(ends) == 0, "pipe");
    measure("read 1 B, tmpfs", read_1);
    measure("read 4 KiB, tmpfs", read_4096);
    measure("pread 1 B, tmpfs", pread_1);
    measure("pread 4 KiB, tmpfs", pread_4096);
    measure("pipe, write 1 B + read", pipe_byte);
    return 0;
}
