// diff: libc=glibc
// What a shared mapping stores behind the end of a file, in its last page, is never in the file: whoever makes the file
// longer finds zeroes there. Linux's tmpfs does not keep to that, so there is nothing to compare there.
#include "files.h"
#include <linux/magic.h>
#include <sys/statfs.h>

#define END 5000
#define BEHIND 6000

static void sum(const char *how, int fd) {
    static char bytes[8192];
    struct stat s;
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    int others = 0;
    for (ssize_t i = END; i < n; i++) others += bytes[i] != 0;
    fstat(fd, &s);
    printf("%s: %lld bytes, %zd read, %d of them behind the old end are not zero\n", how, (long long)s.st_size, n, others);
}

static int stored(char **map) {
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    static char bytes[END];
    memset(bytes, 'x', END);
    T(pwrite(fd, bytes, END, 0));
    *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (*map)[BEHIND] = 'y';
    (*map)[8191] = 'z';
    return fd;
}

static void done(int fd, char *map, const char *how) {
    sum(how, fd);
    printf("mapped: %d\n", map[BEHIND]);
    T(msync(map, 8192, MS_SYNC));
    sum("written back", fd);
    T(munmap(map, 8192));
    T(close(fd));
}

int main(void) {
    f_scratch();
    struct statfs here;
    if (statfs(".", &here) != 0 || here.f_type == TMPFS_MAGIC) return 0;
    char *map;
    int fd = stored(&map);
    T(ftruncate(fd, 8000));
    done(fd, map, "ftruncate");
    fd = stored(&map);
    T(pwrite(fd, "e", 1, 7999));
    done(fd, map, "pwrite");
    fd = stored(&map);
    T(fallocate(fd, 0, 0, 8000));
    done(fd, map, "fallocate");
    fd = stored(&map);
    T(msync(map, 8192, MS_SYNC));
    T(ftruncate(fd, 8000));
    done(fd, map, "ftruncate after msync");
    fd = stored(&map);
    T(pwrite(fd, "next", 4, END));
    char found[4096] = "";
    T(pread(fd, found, sizeof found, END));
    S(found);
    T(munmap(map, 8192));
    return 0;
}
