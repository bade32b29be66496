// statfs and fstatfs of a tmpfs, sync calls, file system errors.
#include "t.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>

int main(void) {
    t_scratch();
    struct statfs s;
    struct statvfs v;
    int fd = t_file("file", "x"), p[2];
    T(statfs(".", &s));
    C(s.f_type == 0x01021994); // TMPFS_MAGIC
    N(s.f_bsize); N(s.f_namelen);
    C(s.f_blocks >= s.f_bfree && s.f_bfree >= s.f_bavail);
    T(fstatfs(fd, &s));
    C(s.f_type == 0x01021994);
    T(statvfs("file", &v));
    N(v.f_frsize);
    T(statfs("missing", &s));
    T(statfs("file/x", &s));
    T(fstatfs(-1, &s));
    T(fsync(fd)); T(fdatasync(fd)); T(syncfs(fd)); T(sync_file_range(fd, 0, 1, 2));
    T(sync_file_range(fd, 0, 1, 64));
    pipe(p);
    T(fsync(p[0])); T(fsync(-1)); T(fdatasync(p[1])); T(syncfs(-1));
    T(readahead(fd, 0, 1));
    T(readahead(p[0], 0, 1));
    return 0;
}
