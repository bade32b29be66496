// diff: libc=glibc
// fallocate(2) in every mode, SEEK_DATA and SEEK_HOLE: contents, lengths, errors in order. tmpfs has fewer modes.
#include "files.h"
#include <linux/falloc.h>

#define BLOCK 4096l

static const int modes[] = {
    0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_INSERT_RANGE | FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_NO_HIDE_STALE, 0x400,
};

static unsigned sum(int fd) {
    unsigned char bytes[BLOCK];
    unsigned sum = 0;
    ssize_t n;
    for (off_t at = 0; (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++) sum = sum * 31 + bytes[i];
    return sum;
}

static int filled(const char *name, long blocks, long more) {
    char *bytes = malloc(BLOCK);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    for (long i = 0; i <= blocks; i++) {
        memset(bytes, 'a' + (int)(i % 26), BLOCK);
        if (write(fd, bytes, i < blocks ? BLOCK : more) < 0) exit(99);
    }
    free(bytes);
    return fd;
}

static void tell(int fd) {
    struct stat s;
    fstat(fd, &s);
    // tmpfs takes any length: that is too much to read.
    if (s.st_size > 1l << 30) printf("  length %lld\n", (long long)s.st_size);
    else printf("  length %lld sum %u\n", (long long)s.st_size, sum(fd));
}

int main(void) {
    f_scratch();
    const struct { off_t from, len; } ranges[] = {
        {0, BLOCK}, {BLOCK, 2 * BLOCK}, {100, 200}, {BLOCK - 10, 20}, {3 * BLOCK, 10 * BLOCK}, {5 * BLOCK, BLOCK},
        {20 * BLOCK, BLOCK}, {0, 5 * BLOCK + 100}, {0, 6 * BLOCK}, {0, 0}, {-1, 1}, {0, -1}, {INT64_MAX - BLOCK, BLOCK},
        {INT64_MAX, BLOCK}, {1l << 46, BLOCK},
    };
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
        for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
            int fd = filled("f", 5, 100);
            // A length beyond what a file can have differs from one file system to the next.
            long result = fallocate(fd, modes[m], ranges[r].from, ranges[r].len);
            printf("mode %#x from %lld len %lld: %s\n", modes[m], (long long)ranges[r].from, (long long)ranges[r].len, f_word(result));
            tell(fd);
            close(fd);
        }
    int fd = filled("f", 2, 0), reads = open("f", O_RDONLY), dir = open(".", O_RDONLY), pipes[2];
    T(pipe(pipes));
    mkfifo("p", 0600);
    T(fallocate(reads, 0, 0, 1));
    T(fallocate(reads, 0x400, 0, 1));
    T(fallocate(reads, 0, -1, 1));
    T(fallocate(dir, 0, 0, 1));
    T(fallocate(pipes[1], 0, 0, 1));
    T(fallocate(pipes[1], 0x400, 0, 1));
    T(fallocate(open("p", O_RDWR), 0, 0, 1));
    T(fallocate(open("/dev/null", O_RDWR), 0, 0, 1));
    T(fallocate(-1, 0, 0, 1));
    T(fallocate(-1, 0x400, -1, 0));
    E(posix_fallocate(fd, 0, 100));
    E(posix_fallocate(fd, 0, 0));
    E(posix_fallocate(reads, 0, 1));
    tell(fd);
    // Appending does not matter, and what was allocated behind the end reads as nothing.
    int appends = open("f", O_RDWR | O_APPEND);
    T(fallocate(appends, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK));
    T(fallocate(appends, FALLOC_FL_KEEP_SIZE, 0, 100 * BLOCK));
    tell(appends);
    T(ftruncate(fd, 50 * BLOCK));
    tell(fd);
    // Holes and data, in whole blocks.
    int holes = open("h", O_RDWR | O_CREAT, 0644);
    T(ftruncate(holes, 40 * BLOCK));
    T(pwrite(holes, "x", 1, 8 * BLOCK));
    T(pwrite(holes, "x", 1, 24 * BLOCK));
    for (int round = 0; round < 2; round++) {
        const off_t ats[] = {0, 1, 8 * BLOCK - 1, 8 * BLOCK, 8 * BLOCK + 1, 9 * BLOCK, 24 * BLOCK, 39 * BLOCK, 40 * BLOCK - 1, 40 * BLOCK, 41 * BLOCK, -1};
        for (size_t i = 0; i < sizeof ats / sizeof *ats; i++) {
            printf("from %lld:", (long long)ats[i]);
            errno = 0;
            off_t data = lseek(holes, ats[i], SEEK_DATA);
            printf(" data %lld %s", (long long)data, data < 0 ? t_name(errno) : "");
            off_t hole = lseek(holes, ats[i], SEEK_HOLE);
            printf(" hole %lld %s\n", (long long)hole, hole < 0 ? t_name(errno) : "");
        }
        T(fallocate(holes, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * BLOCK, BLOCK));
    }
    return 0;
}
