// getdents64 and readdir: names and types, sorted; small buffers; rewinding.
#include "t.h"
#include <dirent.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(const char *path) {
    char *names[64];
    int n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e; (e = readdir(dir));)
        if (n < 64) asprintf(&names[n++], "%s:%d", e->d_name, e->d_type);
    closedir(dir);
    qsort(names, n, sizeof *names, compare);
    for (int i = 0; i < n; i++) printf("%s ", names[i]);
    puts("");
}

int main(void) {
    t_scratch();
    mkdir("top", 0755);
    chdir("top");
    close(t_file("file", ""));
    mkdir("dir", 0755);
    symlink("file", "link");
    mkfifo("fifo", 0644);
    list(".");
    unlink("file");
    list(".");
    list("dir");
    char buffer[1024];
    int fd = open(".", O_RDONLY | O_DIRECTORY), f = open("dir", O_RDONLY);
    T(syscall(SYS_getdents64, fd, buffer, 8));
    Z(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    T(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    T(lseek(fd, 0, SEEK_SET));
    int entries = 0;
    for (long n; (n = syscall(SYS_getdents64, fd, buffer, 40)) > 0;)
        for (long at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) entries++;
    N(entries);
    T(lseek(fd, 0, SEEK_SET));
    T(syscall(SYS_getdents64, fd, BAD, 1024));
    T(syscall(SYS_getdents64, -1, buffer, 1024));
    T(rmdir("dir"));
    T(syscall(SYS_getdents64, f, buffer, 1024));
    int p[2];
    pipe(p);
    T(syscall(SYS_getdents64, p[0], buffer, 1024));
    for (int i = 0; i < 1000; i++) { snprintf(buffer, 32, "f%d", i); close(open(buffer, O_CREAT | O_WRONLY, 0644)); }
    int count = 0;
    DIR *dir = opendir(".");
    for (struct dirent *e; (e = readdir(dir));) if (e->d_name[0] == 'f' && e->d_name[1] != 'i') { count++; unlink(e->d_name); }
    N(count); // each seen once, though unlinked on the way
    rewinddir(dir);
    for (count = 0; readdir(dir);) count++;
    N(count);
    return 0;
}
