// diff: libc=glibc
// When the set-user-ID and set-group-ID bits go: writes, truncation, change of owner, by root and by others.
#include "files.h"

static unsigned mode_of(const char *name) { struct stat s; return stat(name, &s) ? 0 : s.st_mode & 07777; }

static const int modes[] = {04777, 02777, 06777, 02767, 06767, 04666, 02666};

static void each(const char *what, int (*act)(void), uid_t by, uint64_t set) {
    printf("%s by %u:", what, by);
    for (size_t at = 0; at < sizeof modes / sizeof *modes; at++) {
        unlink("f");
        f_make("f", "text", 0666);
        chown("f", 1000, 2000);
        chmod("f", modes[at]);
        fflush(stdout);
        if (fork() == 0) {
            setgroups(0, NULL);
            if (by) setresgid(by, by, by), setresuid(by, by, by);
            else f_capabilities(set);
            int result = act();
            printf(" %o>%o(%s)", modes[at], mode_of("f"), f_word(result));
            fflush(stdout);
            _exit(0);
        }
        wait(NULL);
    }
    printf("\n");
}

static int write_(void) { int fd = open("f", O_WRONLY); return write(fd, "x", 1); }
static int write0(void) { int fd = open("f", O_WRONLY); return write(fd, "x", 0); }
static int pwrite_(void) { int fd = open("f", O_WRONLY); return pwrite(fd, "x", 1, 100); }
static int truncate_(void) { return truncate("f", 1); }
static int truncate_same(void) { return truncate("f", 4); }
static int ftruncate_(void) { int fd = open("f", O_WRONLY); return ftruncate(fd, 1); }
static int open_trunc(void) { return open("f", O_WRONLY | O_TRUNC); }
static int fallocate_(void) { int fd = open("f", O_WRONLY); return fallocate(fd, 0, 0, 8192); }
static int fallocate_keep(void) { int fd = open("f", O_WRONLY); return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2); }
static int punch(void) { int fd = open("f", O_WRONLY); return fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096); }
static int mapped(void) {
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return -1;
    *p = 'm';
    return msync(p, PAGE, MS_SYNC);
}
static int chown_none(void) { return chown("f", -1, -1); }
static int chown_same(void) { return chown("f", 1000, 2000); }
static int chown_user(void) { return chown("f", 3000, -1); }
static int chown_group(void) { return chown("f", -1, 1000); }
static int chmod_same(void) { return chmod("f", mode_of("f")); }
static int utimes_(void) { return utimensat(AT_FDCWD, "f", NULL, 0); }
static int copied(void) {
    int from = open("src", O_RDONLY), to = open("f", O_WRONLY);
    return copy_file_range(from, NULL, to, NULL, 3, 0);
}

int main(void) {
    f_scratch();
    umask(0);
    f_make("src", "source", 0666);
    static const struct { const char *name; int (*act)(void); } acts[] = {
        {"write", write_}, {"write of nothing", write0}, {"pwrite", pwrite_}, {"truncate", truncate_},
        {"truncate to the same", truncate_same}, {"ftruncate", ftruncate_}, {"O_TRUNC", open_trunc}, {"fallocate", fallocate_},
        {"fallocate KEEP_SIZE", fallocate_keep}, {"punch", punch}, {"mapped write", mapped}, {"chown -1 -1", chown_none},
        {"chown same", chown_same}, {"chown user", chown_user}, {"chown group", chown_group}, {"chmod", chmod_same},
        {"utimensat", utimes_}, {"copy_file_range", copied},
    };
    for (size_t at = 0; at < sizeof acts / sizeof *acts; at++) {
        each(acts[at].name, acts[at].act, 0, ~0ull);
        each(acts[at].name, acts[at].act, 0, ~CAP(CAP_FSETID));
        each(acts[at].name, acts[at].act, 1000, 0);
        each(acts[at].name, acts[at].act, 1001, 0);
    }
    // Directories keep theirs.
    mkdir("d", 0777);
    chmod("d", 06777);
    T(chown("d", 5, 6));
    f_show("d");
    AS(1000, 1000) { T(mkdir("d/sub", 0777)); f_show("d/sub"); T(chmod("d/sub", 02755)); f_show("d/sub"); T(chmod("d/sub", 0755)); f_show("d/sub"); }
    return 0;
}
