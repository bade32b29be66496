// The ioctls that every file system has: lengths, blocks, shared extents, flags.
// diff: disk=no; libc=glibc
#include "../t.h"
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
static char room[4096];
static void all(const char *what, int fd) {
    printf("-- %s\n", what);
    loff_t size = -1;
    int block = -1;
    T(ioctl(fd, FIOQSIZE, &size)); if (!strcmp(what, "regular")) N(size);
    T(ioctl(fd, FIOQSIZE, BAD));
    T(ioctl(fd, FIGETBSZ, &block)); N(block); T(ioctl(fd, FIGETBSZ, BAD));
    T(ioctl(fd, FICLONE, -1)); T(ioctl(fd, FICLONE, fd)); T(ioctl(fd, FICLONERANGE, BAD));
    struct file_clone_range range = {.src_fd = -1};
    T(ioctl(fd, FICLONERANGE, &range)); range.src_fd = fd; T(ioctl(fd, FICLONERANGE, &range));
    memset(room, 0, sizeof room);
    T(ioctl(fd, FIDEDUPERANGE, room)); T(ioctl(fd, FIDEDUPERANGE, BAD));
    struct file_dedupe_range *same = (void *)room;
    same->dest_count = 1; same->src_length = 4096; same->info[0].dest_fd = -1;
    T(ioctl(fd, FIDEDUPERANGE, same)); N(same->info[0].status);
    same->info[0].dest_fd = fd; same->reserved1 = 1;
    T(ioctl(fd, FIDEDUPERANGE, same));
    memset(room, 0, sizeof room);
    T(ioctl(fd, FS_IOC_FIEMAP, room)); T(ioctl(fd, FS_IOC_FIEMAP, BAD));
    T(ioctl(fd, FIBMAP, room)); T(ioctl(fd, FIBMAP, BAD));
    T(ioctl(fd, 0x12345678, room)); T(ioctl(fd, 0, 0));
}
int main(void) {
    t_scratch();
    int fd = open("f", O_RDWR | O_CREAT, 0600), other = open("g", O_RDWR | O_CREAT, 0600), to[2], reader = open("f", O_RDONLY);
    write(fd, room, 4096); write(other, room, 4096);
    all("regular", fd);
    T(ioctl(other, FICLONE, fd)); T(ioctl(reader, FICLONE, fd)); T(ioctl(fd, FICLONE, reader));
    struct file_clone_range range = {.src_fd = other, .src_offset = 100, .src_length = 100};
    T(ioctl(fd, FICLONERANGE, &range));
    int dir = open(".", O_RDONLY);
    all("directory", dir);
    T(ioctl(dir, FICLONE, fd)); T(ioctl(fd, FICLONE, dir));
    pipe(to);
    all("pipe", to[0]);
    T(ioctl(fd, FICLONE, to[0])); T(ioctl(to[1], FICLONE, fd));
    all("null", open("/dev/null", O_RDWR));
    int path = open("f", O_PATH);
    T(ioctl(path, FIGETBSZ, room));
    int value = 0;
    T(ioctl(fd, FIONREAD, &value)); N(value); lseek(fd, 100, SEEK_SET); T(ioctl(fd, FIONREAD, &value)); N(value);
    T(ioctl(fd, FIONREAD, BAD)); T(ioctl(dir, FIONREAD, &value));
    value = 1; T(ioctl(fd, FIONBIO, &value)); N(fcntl(fd, F_GETFL) & O_NONBLOCK); T(ioctl(fd, FIONBIO, BAD));
    T(ioctl(fd, FIOASYNC, &value)); T(ioctl(fd, FIOCLEX)); N(fcntl(fd, F_GETFD)); T(ioctl(fd, FIONCLEX)); N(fcntl(fd, F_GETFD));
    T(ioctl(-1, FIONBIO, BAD));
    return 0;
}
