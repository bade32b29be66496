// diff: libc=glibc
// lseek with holes, preadv2 and pwritev2 flags, O_APPEND, and what advises or syncs.
#include "files.h"
#include <sys/uio.h>
#include <linux/fs.h>
#include <sys/socket.h>

int main(void) {
    f_scratch();
    char b[100] = "0123456789";
    struct iovec v[2] = {{b, 5}, {b + 5, 5}}, none[1] = {{b, 0}}, bad[1] = {{BAD, 5}}, huge[2] = {{b, 0x7fffffffffffffff}, {b, 5}};
    int fd = open("f", O_CREAT | O_RDWR, 0644), pipes[2], ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), path = open("f", O_PATH), dir = open(".", O_RDONLY), ap = open("f", O_RDWR | O_APPEND), sv[2];
    pipe(pipes); socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
    // holes
    T(lseek(fd, 0, SEEK_DATA)); T(lseek(fd, 0, SEEK_HOLE)); ftruncate(fd, 1 << 20); T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE)); T(lseek(fd, 1 << 20, SEEK_HOLE)); pwrite(fd, b, 10, 65536); T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 65536, SEEK_HOLE)); T(lseek(fd, 65540, SEEK_DATA)); T(lseek(fd, 70000, SEEK_DATA));
    T(lseek(fd, 70000, SEEK_HOLE)); T(lseek(fd, -1, SEEK_DATA)); T(lseek(fd, -1, SEEK_HOLE)); T(lseek(fd, 1 << 21, SEEK_DATA));
    T(lseek(fd, 1 << 21, SEEK_HOLE)); T(lseek(fd, 0, 5)); T(lseek(fd, 0, -1)); T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, 0x7fffffffffffffff, SEEK_SET)); T(lseek(fd, 1, SEEK_CUR)); T(write(fd, b, 1)); T(read(fd, b, 1));
    T(lseek(fd, 0x7fffffffffffffff, SEEK_END)); T(lseek(fd, -(1 << 20), SEEK_END)); T(lseek(fd, -1, SEEK_CUR));
    T(lseek(pipes[0], 0, SEEK_SET)); T(lseek(path, 0, SEEK_SET)); T(lseek(-1, 0, 9)); T(lseek(sv[0], 0, SEEK_CUR));
    T(lseek(pipes[0], 0, 9)); T(lseek(dir, 0, SEEK_END) >= 0); T(lseek(dir, 0, SEEK_HOLE) >= 0); ftruncate(fd, 0);
    lseek(fd, 0, SEEK_SET);
    // positioned and vectored
    T(pwrite(fd, "abcdef", 6, 0)); T(pread(fd, b, 3, 4)); T(pread(fd, b, 3, 6)); T(pread(fd, b, 3, -1));
    T(pwrite(fd, b, 3, -1)); T(pread(fd, b, 0, -1)); T(pread(pipes[0], b, 1, 0)); T(pwrite(pipes[1], b, 1, 0));
    T(pread(wo, b, 1, 0)); T(pwrite(ro, b, 1, 0)); T(pread(dir, b, 1, 0)); T(pread(path, b, 1, 0)); T(pread(fd, BAD, 3, 0));
    T(pread(fd, BAD, 0, 0)); T(pwrite(fd, BAD, 3, 0)); T(pread(-1, BAD, 3, -1)); T(pwrite(fd, b, 1, 0x7fffffffffffffff));
    T(pread(fd, b, 1, 0x7fffffffffffffff)); T(pwrite(ap, "END", 3, 0)); t_cat("f"); T(lseek(ap, 0, SEEK_CUR));
    T(write(ap, "!", 1)); T(lseek(ap, 0, SEEK_CUR));
    T(writev(fd, v, 2)); T(readv(fd, v, 2)); T(readv(fd, v, 0)); T(readv(fd, v, -1)); T(readv(fd, v, 1025));
    T(readv(fd, BAD, 1)); T(readv(fd, bad, 1)); T(readv(fd, none, 1)); T(readv(fd, huge, 2)); T(writev(-1, BAD, 1));
    T(preadv(fd, v, 2, -1)); T(preadv(fd, v, 2, 0)); T(pwritev(fd, v, 2, -5)); T(preadv(pipes[0], v, 2, 0));
    T(writev(ro, v, 2)); T(readv(wo, v, 1));
    // flags
    const int flags[] = {0, RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_APPEND, RWF_DSYNC | RWF_APPEND, 0x10000, 0x40000000};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        ftruncate(fd, 10); lseek(fd, 2, SEEK_SET); printf("%#x:", flags[i]);
        printf(" read %ld", (long)preadv2(fd, v, 1, 0, flags[i])); if (errno && i > 4) printf(" %s", t_name(errno));
        errno = 0; printf(" write %ld", (long)pwritev2(fd, v, 1, 1, flags[i])); if (errno) printf(" %s", t_name(errno));
        errno = 0; printf(" here %ld", (long)pwritev2(fd, v, 1, -1, flags[i])); if (errno) printf(" %s", t_name(errno));
        errno = 0; struct stat s; fstat(fd, &s); printf(" at %ld of %ld\n", (long)lseek(fd, 0, SEEK_CUR), (long)s.st_size);
    }
    T(preadv2(fd, v, 1, -2, 0)); T(pwritev2(fd, v, 1, -2, 0)); T(pwritev2(fd, v, 1, -2, RWF_APPEND));
    T(preadv2(pipes[0], v, 1, -1, RWF_NOWAIT)); T(preadv2(pipes[0], v, 1, 0, 0)); T(pwritev2(pipes[1], v, 1, -1, 0));
    T(preadv2(pipes[0], v, 1, -1, RWF_NOWAIT)); T(preadv2(-1, v, 1, -1, 0x10000)); T(preadv2(wo, v, 1, -1, 0x10000));
    T(pwritev2(ro, v, 1, -1, 0x10000)); T(preadv2(fd, v, -1, -1, 0x10000)); T(preadv2(sv[0], v, 1, -1, RWF_NOWAIT));
    T(pwritev2(pipes[1], v, 1, -1, RWF_APPEND));
    // sync and advice
    T(fsync(fd)); T(fsync(pipes[0])); T(fsync(sv[0])); T(fsync(dir)); T(fsync(path)); T(fsync(-1)); T(fdatasync(fd));
    T(fdatasync(pipes[1])); T(fsync(ro)); T(syncfs(fd)); T(syncfs(path)); T(syncfs(-1)); T(syncfs(pipes[0]));
    T(sync_file_range(fd, 0, 0, 0)); T(sync_file_range(fd, 0, 10, 7)); T(sync_file_range(fd, 0, 0, 8));
    T(sync_file_range(fd, -1, 0, 0)); T(sync_file_range(fd, 0, -1, 0)); T(sync_file_range(fd, 0x7fffffffffffffff, 1, 0));
    T(sync_file_range(pipes[0], 0, 0, 0)); T(sync_file_range(sv[0], 0, 0, 0)); T(sync_file_range(dir, 0, 0, 0));
    T(sync_file_range(-1, -1, 0, 8)); T(sync_file_range(path, 0, 0, 0));
    for (int a = -1; a < 8; a++) printf("%s ", t_name(posix_fadvise(fd, 0, 0, a)));
    puts(""); E(posix_fadvise(fd, 0, -1, 0)); E(posix_fadvise(fd, -1, 0, 0)); E(posix_fadvise(pipes[0], 0, 0, 0));
    E(posix_fadvise(pipes[0], 0, -1, 9)); E(posix_fadvise(-1, 0, 0, 9)); E(posix_fadvise(dir, 0, 0, 0));
    E(posix_fadvise(sv[0], 0, 0, 0)); T(readahead(fd, 0, 100)); T(readahead(wo, 0, 100)); T(readahead(pipes[0], 0, 100));
    T(readahead(dir, 0, 100)); T(readahead(-1, 0, 100)); T(readahead(path, 0, 100)); T(readahead(sv[0], 0, 100));
    T(readahead(fd, -1, 100));
    return 0;
}
