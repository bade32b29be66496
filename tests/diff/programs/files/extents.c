// diff: libc=glibc
// Where a file lies on its disk (FS_IOC_FIEMAP, FIBMAP): extents without their places, flags, errors in order.
#include "files.h"
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define BLOCK 4096l

static struct { struct fiemap head; struct fiemap_extent extents[8]; } map;

static long ask(int fd, uint64_t start, uint64_t len, uint32_t flags, uint32_t room) {
    memset(&map, 0xee, sizeof map);
    map.head = (struct fiemap){.fm_start = start, .fm_length = len, .fm_flags = flags, .fm_extent_count = room};
    return ioctl(fd, FS_IOC_FIEMAP, &map);
}

static void show(int fd, uint64_t start, uint64_t len, uint32_t flags, uint32_t room) {
    long result = ask(fd, start, len, flags, room);
    printf("%llu+%llu flags %#x room %u: %s, %u mapped, flags %#x\n", (unsigned long long)start, (unsigned long long)len, flags, room,
           f_word(result), map.head.fm_mapped_extents, map.head.fm_flags);
    for (uint32_t i = 0; result == 0 && i < map.head.fm_mapped_extents && i < room; i++) {
        struct fiemap_extent e = map.extents[i];
        printf("  %llu+%llu%s%s%s\n", (unsigned long long)e.fe_logical, (unsigned long long)e.fe_length,
               e.fe_flags & FIEMAP_EXTENT_LAST ? " last" : "", e.fe_flags & FIEMAP_EXTENT_UNWRITTEN ? " unwritten" : "",
               e.fe_physical ? "" : " nowhere");
    }
}

int main(void) {
    f_scratch();
    int fd = open("f", O_RDWR | O_CREAT, 0644), pipes[2];
    T(pipe(pipes));
    show(fd, 0, UINT64_MAX, FIEMAP_FLAG_SYNC, 8);
    T(fallocate(fd, 0, 0, 3 * BLOCK));
    T(pwrite(fd, "x", 1, 10 * BLOCK));
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 20 * BLOCK, 4 * BLOCK));
    T(fsync(fd));
    show(fd, 0, UINT64_MAX, FIEMAP_FLAG_SYNC, 8);
    show(fd, 0, UINT64_MAX, 0, 8);
    show(fd, 0, UINT64_MAX, 0, 0);
    show(fd, 0, UINT64_MAX, 0, 1);
    show(fd, 0, UINT64_MAX, 0, 2);
    show(fd, BLOCK, BLOCK, 0, 8);
    show(fd, 5 * BLOCK, BLOCK, 0, 8);
    show(fd, 5 * BLOCK, 6 * BLOCK, 0, 8);
    show(fd, 21 * BLOCK, 100 * BLOCK, 0, 8);
    show(fd, 100 * BLOCK, 100 * BLOCK, 0, 8);
    show(fd, 0, 0, 0, 8);
    show(fd, 0, UINT64_MAX, 0x100, 8);
    show(fd, 0, UINT64_MAX, 0, UINT32_MAX);
    T(ioctl(fd, FS_IOC_FIEMAP, BAD));
    show(open("f", O_RDONLY), 0, BLOCK, 0, 8);
    T(ask(open("f", O_PATH), 0, BLOCK, 0, 8));
    T(ask(pipes[0], 0, BLOCK, 0, 8));
    T(ask(open("/dev/null", O_RDONLY), 0, BLOCK, 0, 8));
    T(ask(-1, 0, BLOCK, 0, 8));
    const int blocks[] = {0, 2, 3, 10, 22, 1000, -1};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        int block = blocks[i];
        long result = ioctl(fd, FIBMAP, &block);
        printf("FIBMAP %d: %s %s\n", blocks[i], f_word(result), result == 0 ? block ? "somewhere" : "nowhere" : "");
    }
    T(ioctl(fd, FIBMAP, BAD));
    AS(1000, 1000) T(ioctl(open("f", O_RDONLY), FIBMAP, BAD));
    return 0;
}
