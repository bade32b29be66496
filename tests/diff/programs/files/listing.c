// diff: libc=glibc
// getdents64, telldir and seekdir: complete, stable while the directory changes, errors.
#include "files.h"
#include <dirent.h>

static int seen[2000];
static int number(const char *name) { return name[0] == 'f' ? atoi(name + 1) : -1; }

int main(void) {
    f_scratch();
    mkdir("d", 0755); mkdir("empty", 0755);
    char name[64], buffer[4096];
    enum { COUNT = 1200 };
    for (int i = 0; i < COUNT; i++) { sprintf(name, "d/f%04d", i); close(open(name, O_CREAT | O_RDWR, 0644)); }
    DIR *d = opendir("d");
    struct dirent *e;
    int all = 0, twice = 0, dots = 0;
    while ((e = readdir(d))) { int n = number(e->d_name); if (n < 0) dots++; else twice += seen[n]++, all++; }
    N(all); N(twice); N(dots);
    // what is removed or added while one reads: the others come once
    rewinddir(d); memset(seen, 0, sizeof seen); all = twice = 0;
    int step = 0;
    while ((e = readdir(d))) {
        int n = number(e->d_name);
        if (n >= 0 && n < COUNT) twice += seen[n]++, all++;
        if (n >= 0 && n % 2 == 0 && n < COUNT) { sprintf(name, "d/f%04d", n); unlink(name); }
        if (step < 300) { sprintf(name, "d/f%04d", COUNT + step++); close(open(name, O_CREAT | O_RDWR, 0644)); }
    }
    N(twice); int odd = 0; for (int i = 1; i < COUNT; i += 2) odd += seen[i]; N(odd); N(all);
    // positions
    rewinddir(d); long at[3000]; char names[3000][16]; int n = 0;
    for (;;) { at[n] = telldir(d); if (!(e = readdir(d))) break; strcpy(names[n++], e->d_name); }
    N(n); int wrong = 0;
    for (int i = n - 1; i >= 0; i -= 7) { seekdir(d, at[i]); e = readdir(d); wrong += !e || strcmp(e->d_name, names[i]); } N(wrong);
    seekdir(d, at[n]); C(readdir(d) == NULL); closedir(d);
    int fd = open("d", O_RDONLY | O_DIRECTORY), empty = open("empty", O_RDONLY), file = open(name, O_RDONLY);
    T(syscall(SYS_getdents64, fd, buffer, 0)); T(syscall(SYS_getdents64, fd, buffer, 20));
    T(syscall(SYS_getdents64, fd, buffer, 23)); T(syscall(SYS_getdents64, fd, buffer, 24));
    T(syscall(SYS_getdents64, fd, BAD, 4096)); T(syscall(SYS_getdents64, file, buffer, 4096));
    T(syscall(SYS_getdents64, -1, buffer, 4096)); T(syscall(SYS_getdents64, 1, buffer, 4096));
    T(syscall(SYS_getdents64, empty, buffer, 4096)); T(syscall(SYS_getdents64, empty, buffer, 4096));
    T(syscall(SYS_getdents64, empty, buffer, 0)); T(lseek(empty, 0, SEEK_SET)); T(syscall(SYS_getdents64, empty, buffer, 4096));
    T(lseek(fd, -1, SEEK_SET)); T(lseek(fd, 0, SEEK_SET)); T(lseek(fd, 0, SEEK_CUR) > 0);
    T(read(fd, buffer, 10)); T(write(fd, buffer, 10)); T(pread(fd, buffer, 10, 0)); T(ftruncate(fd, 0));
    T(lseek(empty, 0, SEEK_DATA)); P(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0)); T(fsync(fd)); T(fdatasync(fd));
    T(rmdir("empty")); T(syscall(SYS_getdents64, empty, buffer, 4096)); T(lseek(empty, 0, SEEK_SET));
    T(syscall(SYS_getdents64, empty, buffer, 4096));
    // types and links
    mkdir("t", 0755); mkdir("t/dir", 0755); symlink("x", "t/link"); mkfifo("t/fifo", 0600); mknod("t/sock", S_IFSOCK | 0600, 0);
    mknod("t/chr", S_IFCHR | 0600, 0x103); close(open("t/file", O_CREAT, 0600));
    d = opendir("t"); int types[16] = {0};
    while ((e = readdir(d))) {
        types[e->d_type]++; struct stat s; fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW);
        if (strcmp(e->d_name, "..") && s.st_ino != e->d_ino) printf("ino of %s\n", e->d_name);
    }
    for (int i = 0; i < 16; i++) printf("%d ", types[i]);
    puts(""); struct stat s; stat("t", &s); N(s.st_nlink); stat("d", &s); N(s.st_nlink);
    AS(1000, 1000) { T((long)opendir("t") > 0); chdir("/"); }
    chmod("t", 0711); AS(1000, 1000) { T((long)opendir("t")); struct stat x; T(stat("t/file", &x)); } chmod("t", 0744);
    AS(1000, 1000) { T((long)opendir("t") > 0); struct stat x; T(stat("t/file", &x)); }
    return 0;
}
