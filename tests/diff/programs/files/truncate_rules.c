// diff: libc=glibc
// truncate, ftruncate, fallocate, and the limit RLIMIT_FSIZE.
#include "files.h"
#include <sys/resource.h>
#include <sys/sendfile.h>
#ifndef FALLOC_FL_COLLAPSE_RANGE
#include <linux/falloc.h>
#endif

static volatile int signals;
static void count(int s) { (void)s; signals++; }
static void size(const char *name) { struct stat s = {0};
    const char *how = f_word(stat(name, &s));
    printf("  %s: %s size %lld\n", name, how, (long long)s.st_size); }
#define X(call) (signals = 0, T(call), printf("  SIGXFSZ %d\n", signals))

int main(void) {
    f_scratch();
    f_make("f", "hello world", 0644); mkdir("d", 0755); symlink("f", "l"); symlink("missing", "dangling"); mkfifo("p", 0644);
    T(truncate("f", 5)); t_cat("f"); T(truncate("f", 8)); size("f"); T(truncate("l", 3)); size("f"); T(truncate("f", -1));
    T(truncate("missing", -1)); T(truncate("missing", 0)); T(truncate("dangling", 0)); T(truncate("d", 0));
    T(truncate("d/", 0)); T(truncate("f/", 0)); T(truncate("p", 0)); T(truncate("", 0)); T(truncate(BAD, 0));
    T(truncate("/dev/null", 0)); T(truncate("f/x", 0));
    int r = open("f", O_RDONLY), w = open("f", O_WRONLY), rw = open("f", O_RDWR), pipes[2], dir = open("d", O_RDONLY), path = open("f", O_PATH);
    pipe(pipes);
    T(ftruncate(r, 0)); T(ftruncate(r, -1)); T(ftruncate(w, 7)); T(ftruncate(-1, 0)); T(ftruncate(-1, -1));
    T(ftruncate(pipes[1], 0)); T(ftruncate(dir, 0)); T(ftruncate(path, 0)); T(ftruncate(0x7fffffff, 0));
    T(ftruncate(rw, 0x7fffffffffffffff)); size("f"); T(ftruncate(rw, 11));
    AS(1000, 1000) { T(truncate("f", 0)); T(truncate("/etc/passwd", 0)); }
    // fallocate
    T(fallocate(rw, 0, 0, 100)); size("f"); T(fallocate(rw, FALLOC_FL_KEEP_SIZE, 100, 10000)); size("f");
    T(fallocate(rw, 0, -1, 1)); T(fallocate(rw, 0, 0, 0)); T(fallocate(rw, 0, 0, -1));
    T(fallocate(rw, 0, 0x7fffffffffffffff, 1)); T(fallocate(r, 0, 0, 1)); T(fallocate(r, 0, -1, 1)); T(fallocate(-1, 0, -1, 1));
    T(fallocate(pipes[1], 0, 0, 1)); T(fallocate(pipes[0], 0, 0, 1)); T(fallocate(dir, 0, 0, 1)); T(fallocate(path, 0, 0, 1));
    T(fallocate(rw, 0x1000, 0, 1)); T(fallocate(rw, FALLOC_FL_PUNCH_HOLE, 0, 1));
    T(fallocate(rw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4));
    T(fallocate(rw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4)); size("f");
    T(fallocate(rw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, 4));
    T(fallocate(rw, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    T(fallocate(rw, FALLOC_FL_INSERT_RANGE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
    int null = open("/dev/null", O_WRONLY); T(fallocate(null, 0, 0, 1)); int data = t_file("data", ""); char bytes[8192];
    memset(bytes, 'd', sizeof bytes); write(data, bytes, sizeof bytes);
    T(fallocate(data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000)); pread(data, bytes, sizeof bytes, 0);
    N(bytes[99]); N(bytes[100]); N(bytes[5099]); N(bytes[5100]);
    // the limit
    struct rlimit limit = {1000, RLIM_INFINITY};
    t_handle(SIGXFSZ, count, 0);
    T(setrlimit(RLIMIT_FSIZE, &limit)); X(ftruncate(rw, 1000)); X(ftruncate(rw, 1001)); X(truncate("f", 1001));
    X(truncate("f", 900)); X(truncate("missing", 2000)); X(fallocate(rw, 0, 0, 1001)); X(pwrite(rw, bytes, 200, 900));
    size("f"); X(pwrite(rw, bytes, 1, 1000)); X(pwrite(rw, bytes, 0, 1000)); X(lseek(rw, 990, SEEK_SET));
    X(write(rw, bytes, 100)); X(write(rw, bytes, 100)); X(write(rw, "", 0));
    X(ftruncate(data, 5000)); X(ftruncate(data, 4999)); X(pwrite(data, bytes, 10, 100)); X(pwrite(data, bytes, 10, 2000));
    int a = open("f", O_WRONLY | O_APPEND); X(write(a, bytes, 10)); ftruncate(a, 995); X(write(a, bytes, 10)); size("f");
    int from = open("data", O_RDONLY); ftruncate(rw, 0); lseek(rw, 0, SEEK_SET); X(sendfile(rw, from, NULL, 2000)); size("f");
    X(sendfile(rw, from, NULL, 10)); off_t zero = 0, at = 999; X(copy_file_range(from, &zero, rw, &at, 100, 0)); N(zero); N(at);
    X(copy_file_range(from, &zero, rw, &at, 100, 0)); write(pipes[1], "spliced", 7); at = 997;
    X(splice(pipes[0], NULL, rw, &at, 3, 0)); X(splice(pipes[0], NULL, rw, &at, 4, 0)); char c[16]; N(read(pipes[0], c, 16));
    X(write(pipes[1], bytes, 2000)); X(posix_fallocate(rw, 900, 200));
    struct iovec v[2] = {{bytes, 600}, {bytes, 600}}; X(pwritev(rw, v, 2, 0)); X(pwritev2(rw, v, 2, 500, 0));
    t_handle(SIGXFSZ, SIG_IGN, 0); X(pwrite(rw, bytes, 1, 1000));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { t_handle(SIGXFSZ, SIG_DFL, 0); write(open("f", O_WRONLY | O_APPEND), bytes, 100); _exit(0); } int status;
    waitpid(pid, &status, 0); N(WIFSIGNALED(status)); N(WTERMSIG(status) == SIGXFSZ);
    return 0;
}
