// Reads and writes at every distance, within a page, between the program's buffer and the kernel's; also where
// the buffer ends in the middle.
#include "t.h"

#define LEN 3000

static unsigned char byte_at(int i) { return i * 7 + i / 256; }

int main(void) {
    t_scratch();
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    unsigned char *two = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two + 2 * PAGE, PAGE);
    for (int i = 0; i < LEN; i++) two[i] = byte_at(i);
    int wrong = 0, kept = 0, cut = 0;
    for (int distance = 0; distance < 130; distance++) {
        // To the file, and from it again.
        for (int i = 0; i < LEN; i++) two[distance + i] = byte_at(i);
        if (pwrite(fd, two + distance, LEN, 5) != LEN) wrong++;
        memset(two + PAGE, 0xaa, PAGE);
        if (pread(fd, two + PAGE + distance, LEN, 5) != LEN) wrong++;
        for (int i = 0; i < LEN; i++)
            if (two[PAGE + distance + i] != byte_at(i)) wrong++;
        if (two[PAGE + distance + LEN] == 0xaa) kept++;
        // The last bytes have no place.
        unsigned char *late = two + 2 * PAGE - 1000 - distance;
        memset(late, 0xaa, 1000 + distance);
        cut += pread(fd, late, LEN, 5) == 1000 + distance;
        for (int i = 0; i < 1000 + distance; i++)
            if (late[i] != byte_at(i)) wrong++;
    }
    printf("%d wrong, %d untouched behind the end, %d cut short\n", wrong, kept, cut);
    return 0;
}
