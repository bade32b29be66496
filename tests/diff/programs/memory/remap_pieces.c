// Memory that was moved and has grown moves again, by seed; its contents come along.
#include "../t.h"
#include <sys/mman.h>
#define MOST (256 * PAGE)
static unsigned long state = 1;
static unsigned draw(unsigned below) {
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(state >> 33) % below;
}
static int holds(const char *at, size_t len, size_t touched) {
    for (size_t i = 0; i < len; i += PAGE)
        if (at[i] != (i < touched ? (char)(i / PAGE + 1) : 0))
            return 0;
    return 1;
}
int main(void) {
    size_t len = 16 * PAGE, touched = 0;
    char *at = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int moves = 0;
    for (int step = 0; step < 2000; step++) {
        size_t next = draw(2) ? len * 2 : len / 2;
        next = next < 2 * PAGE ? 2 * PAGE : next > MOST ? MOST : next;
        char *hole = mmap(0, next + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(hole, next + PAGE);
        int apart = hole + next <= at || at + len <= hole;
        char *moved = draw(2) && apart ? mremap(at, len, next, MREMAP_MAYMOVE | MREMAP_FIXED, hole)
                                       : mremap(at, len, next, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED) {
            printf("step %d: %s\n", step, t_name(errno));
            return 1;
        }
        moves += moved != at;
        touched = touched < next ? touched : next;
        if (!holds(moved, next, touched)) {
            printf("step %d: other contents\n", step);
            return 1;
        }
        at = moved, len = next;
        if (draw(2)) {
            for (size_t i = 0; i < len; i += PAGE)
                at[i] = (char)(i / PAGE + 1);
            touched = len;
        }
        if (draw(3) == 0 && (moved = mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0)) != MAP_FAILED) {
            munmap(at, len);
            at = moved;
        }
    }
    printf("many moves: %d\n", moves > 100);
    return 0;
}
