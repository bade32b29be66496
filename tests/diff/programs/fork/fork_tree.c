// Trees of processes: every one writes to its own copy, all share one page, counts come out right.
// diff: cpus=2
#include "job.h"

static int *shared, own[4096];
static int tree(int depth, int seed) {
    for (int i = 0; i < 4096; i += 256) own[i] = seed + i;
    pid_t children[3];
    if (depth > 0)
        for (int i = 0; i < 3; i++)
            if ((children[i] = fork()) == 0) _exit(tree(depth - 1, seed * 3 + i + 1));
    int bad = 0;
    for (int i = 0; i < 4096; i += 256) bad += own[i] != seed + i;
    __atomic_fetch_add(&shared[0], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&shared[1], bad, __ATOMIC_SEQ_CST);
    int status, failed = bad != 0;
    if (depth > 0)
        for (int i = 0; i < 3; i++) failed |= waitpid(children[i], &status, 0) != children[i] || status != 0;
    return failed;
}

int main(void) {
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    N(tree(4, 1));
    N(shared[0]); N(shared[1]);
    T(wait(NULL));
    return 0;
}
