// diff: libc=glibc
// Deep trees, long working directories, many links, names of every byte.
#include "files.h"
#include <dirent.h>
#include <sys/statfs.h>

int main(void) {
    f_scratch();
    struct stat s; char name[256], *cwd = malloc(200000); memset(name, 'd', 200); name[200] = 0;
    int made = 0, top = open(".", O_RDONLY); while (made < 40 && mkdir(name, 0755) == 0 && chdir(name) == 0) made++;
    N(made); long n = syscall(SYS_getcwd, cwd, 200000); printf("%s\n", n < 0 ? t_name(errno) : "fits");
    T(syscall(SYS_getcwd, cwd, 100)); T(close(open("bottom", O_CREAT | O_RDWR, 0644))); T(stat("bottom", &s));
    T(stat("../../../../..", &s)); T(rename("bottom", "../up")); T(unlink("../up"));
    for (int i = 0; i < made; i++) if (chdir("..") || rmdir(name)) { printf("at %d %s\n", i, t_name(errno)); break; }
    struct stat t;
    fstat(top, &t); stat(".", &s); C(s.st_ino == t.st_ino); T(syscall(SYS_getcwd, cwd, 0)); T(syscall(SYS_getcwd, cwd, 1));
    T(syscall(SYS_getcwd, BAD, 4096)); T(syscall(SYS_getcwd, NULL, 0)); n = syscall(SYS_getcwd, cwd, 4096);
    C(n == (long)strlen(cwd) + 1); T(syscall(SYS_getcwd, cwd, n - 1)); C(syscall(SYS_getcwd, cwd, n) == n);
    // links
    mkdir("l", 0755); f_make("l/0", "x", 0644);
    for (int i = 1; i < 1000; i++) { sprintf(name, "l/%d", i); if (link("l/0", name)) { printf("link %d %s\n", i, t_name(errno)); break; } } stat("l/999", &s);
    N(s.st_nlink); for (int i = 0; i < 999; i++) { sprintf(name, "l/%d", i); unlink(name); } stat("l/999", &s);
    N(s.st_nlink); stat("l", &s); N(s.st_nlink);
    for (int i = 0; i < 50; i++) { sprintf(name, "l/d%d", i); mkdir(name, 0755); } stat("l", &s);
    N(s.st_nlink); T(rmdir("l")); mkdir("m", 0755); T(rename("l/d0", "m/d0")); stat("l", &s); N(s.st_nlink); stat("m", &s);
    N(s.st_nlink); T(rename("l/d1", "l/d2")); stat("l", &s); N(s.st_nlink);
    T(syscall(SYS_renameat2, AT_FDCWD, "l/d3", AT_FDCWD, "l/999", 2)); stat("l", &s); N(s.st_nlink);
    // names
    mkdir("n", 0755); int ok = 0;
    for (int c = 1; c < 256; c++) { if (c == '/') continue; char one[16] = "n/xy"; one[2] = c; ok += close(open(one, O_CREAT | O_RDWR, 0644)) == 0; } N(ok);
    DIR *d = opendir("n"); int seen = 0; struct dirent *e;
    while ((e = readdir(d))) seen += strlen(e->d_name) == 2 && e->d_name[1] == 'y';
    N(seen); closedir(d); T(close(open("n/\xff\xfe", O_CREAT | O_RDWR, 0644))); T(access("n/\xff\xfe", F_OK));
    T(close(open("n/ ", O_CREAT | O_RDWR, 0644))); T(access("n/ ", F_OK)); T(close(open("n/...", O_CREAT | O_RDWR, 0644)));
    T(mkdir("n/..x", 0755)); T(close(open("n/a\nb", O_CREAT | O_RDWR, 0644))); T(access("n/A", F_OK));
    T(close(open("n/a", O_CREAT | O_RDWR, 0644))); T(access("n/A", F_OK));
    // a file used through two names, two descriptors and a mapping at once
    int a = open("m/f", O_CREAT | O_RDWR, 0644); link("m/f", "m/g"); int b = open("m/g", O_RDWR); write(a, "0123456789", 10);
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b, 0); map[3] = 'X'; pread(a, cwd, 10, 0);
    printf("%.10s\n", cwd); pwrite(b, "YZ", 2, 8); printf("%.10s\n", map); ftruncate(a, 5); N(map[7]); ftruncate(b, 10);
    N(map[7]); N(map[3]); C(lseek(a, 0, SEEK_CUR) == 10 && lseek(b, 0, SEEK_CUR) == 0);
    return 0;
}
