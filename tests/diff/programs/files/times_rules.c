// diff: timeout=60; libc=glibc
// Which of the three times of a file, and of its directory, each call changes.
#include "files.h"
#include <sys/xattr.h>

static struct stat before[3];
static const char *const watched[3] = {"d/f", "d", "e"};

static void arm(void) {
    // Access times older than the others are set by reads (relatime), ctime moves with the clock alone.
    struct timespec past[2] = {{1000, 0}, {2000, 0}};
    for (int at = 0; at < 3; at++) utimensat(AT_FDCWD, watched[at], past, 0);
    t_sleep_ms(12);
    for (int at = 0; at < 3; at++) if (stat(watched[at], &before[at]) != 0) memset(&before[at], 0, sizeof *before);
    t_sleep_ms(12);
}

static int same(struct timespec a, struct timespec b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

static void tell(const char *what, long result) {
    printf("%s %s:", what, f_word(result));
    for (int at = 0; at < 3; at++) {
        struct stat now;
        if (stat(watched[at], &now) != 0) { printf(" gone"); continue; }
        printf(" %s=%s%s%s", watched[at], same(now.st_atim, before[at].st_atim) ? "-" : "a", same(now.st_mtim, before[at].st_mtim) ? "-" : "m",
               same(now.st_ctim, before[at].st_ctim) ? "-" : "c");
    }
    printf("\n");
}
#define TIMES(call) arm(); tell(#call, (long)(call))

int main(void) {
    char buffer[4096];
    f_scratch();
    mkdir("d", 0755); mkdir("e", 0755);
    close(t_file("d/f", "some text"));
    int fd = open("d/f", O_RDWR), dir = open("d", O_RDONLY);
    TIMES(read(fd, buffer, 4)); TIMES(read(fd, buffer, 0)); TIMES(pread(fd, buffer, 4, 100)); TIMES(write(fd, "x", 1)); TIMES(write(fd, "x", 0));
    TIMES(pwrite(fd, "x", 1, 0)); TIMES(lseek(fd, 0, SEEK_SET)); TIMES(ftruncate(fd, 5)); TIMES(ftruncate(fd, 5)); TIMES(ftruncate(fd, 50));
    TIMES(truncate("d/f", 50)); TIMES(truncate("d/f", 10)); TIMES(fallocate(fd, 0, 0, 100)); TIMES(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
    TIMES(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 10));
    TIMES(close(open("d/f", O_RDONLY))); TIMES(close(open("d/f", O_WRONLY | O_TRUNC))); TIMES(close(open("d/f", O_WRONLY | O_TRUNC)));
    TIMES(chmod("d/f", 0600)); TIMES(chmod("d/f", 0600)); TIMES(chown("d/f", -1, -1)); TIMES(chown("d/f", 1, 1)); TIMES(fchmod(fd, 0644));
    TIMES(setxattr("d/f", "user.a", "1", 1, 0)); TIMES(getxattr("d/f", "user.a", buffer, 9)); TIMES(removexattr("d/f", "user.a"));
    TIMES(link("d/f", "e/g")); TIMES(rename("e/g", "d/g")); TIMES(unlink("d/g")); TIMES(unlink("d/none"));
    TIMES(rename("d/f", "d/h")); TIMES(rename("d/h", "d/f")); TIMES(rename("d/f", "d/f"));
    TIMES(symlink("x", "d/l")); TIMES(readlink("d/l", buffer, 9)); TIMES(unlink("d/l"));
    TIMES(mkdir("d/sub", 0755)); TIMES(rename("d/sub", "e/sub")); TIMES(rmdir("e/sub")); TIMES(mknod("d/p", S_IFIFO | 0644, 0)); TIMES(unlink("d/p"));
    TIMES(syscall(SYS_getdents64, dir, buffer, sizeof buffer)); TIMES(syscall(SYS_getdents64, dir, buffer, sizeof buffer));
    int quiet_dir = open("d", O_RDONLY | O_NOATIME);
    TIMES(syscall(SYS_getdents64, quiet_dir, buffer, sizeof buffer));
    TIMES(close(open("d/new", O_CREAT | O_RDWR, 0644))); TIMES(close(open("d/new", O_CREAT | O_RDWR, 0644)));
    TIMES(syscall(SYS_renameat2, AT_FDCWD, "d/new", AT_FDCWD, "d/f", 2)); TIMES(syscall(SYS_renameat2, AT_FDCWD, "d/new", AT_FDCWD, "d/f", 2));
    TIMES(close(open("d", O_TMPFILE | O_RDWR, 0600)));
    TIMES(utimensat(AT_FDCWD, "d/f", NULL, 0)); struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}}; TIMES(utimensat(AT_FDCWD, "d/f", now, 0));
    now[0].tv_nsec = UTIME_OMIT; TIMES(utimensat(AT_FDCWD, "d/f", now, 0)); now[1].tv_nsec = UTIME_NOW; TIMES(utimensat(AT_FDCWD, "d/f", now, 0));
    TIMES(fsync(fd)); TIMES(access("d/f", R_OK)); TIMES(copy_file_range(fd, (loff_t[]){0}, fd, (loff_t[]){4096}, 1, 0));
    close(t_file("d/full", "abc")); int full = open("d/full", O_RDONLY);
    TIMES(copy_file_range(full, (loff_t[]){0}, fd, (loff_t[]){0}, 3, 0));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    TIMES(*(volatile char *)map);
    TIMES(execl("d/f", "d/f", NULL));
    TIMES(chdir("d")); TIMES(chdir(".."));
    // relatime: an access time that is younger than the others stays for a day.
    struct timespec young[2] = {{4000000000, 0}, {2000, 0}}, day[2] = {{time(NULL) - 90000, 0}, {2000, 0}};
    struct stat s;
    utimensat(AT_FDCWD, "d/f", young, 0); lseek(fd, 0, SEEK_SET); T(read(fd, buffer, 1)); stat("d/f", &s); N(s.st_atim.tv_sec);
    t_sleep_ms(12); utimensat(AT_FDCWD, "d/f", day, 0); T(read(fd, buffer, 1)); stat("d/f", &s); C(s.st_atim.tv_sec == day[0].tv_sec);
    int quiet = open("d/f", O_RDONLY | O_NOATIME);
    utimensat(AT_FDCWD, "d/f", day, 0); T(read(quiet, buffer, 1)); stat("d/f", &s); C(s.st_atim.tv_sec == day[0].tv_sec);
    return 0;
}
