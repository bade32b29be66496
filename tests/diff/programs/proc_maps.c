// /proc/self/maps: mappings appear with their rights, offsets and names, in order, and disappear.
#include "t.h"

static unsigned long last;
static int find(void *at, char *rights, unsigned long *length, unsigned long *offset, char *name) {
    static char text[1 << 18]; // no stdio: its buffer might fill the very hole that is looked at
    int fd = open("/proc/self/maps", O_RDONLY), found = 0;
    long size = 0, r;
    while ((r = read(fd, text + size, sizeof text - 1 - size)) > 0) size += r;
    text[size] = 0;
    close(fd);
    last = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        unsigned long from, to, off;
        char r[8], n[4096] = "";
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &from, &to, r, &off, n) < 4) puts("odd line");
        if (from < last || to <= from) puts("out of order");
        last = to;
        if ((unsigned long)at >= from && (unsigned long)at < to) found = 1, strcpy(rights, r), *length = to - from, *offset = off, strcpy(name, n);
    }
    return found;
}
static void show(const char *what, void *at, int exact) {
    char rights[8], name[4096];
    unsigned long length, offset;
    if (!find(at, rights, &length, &offset, name)) { printf("%s: not mapped\n", what); return; }
    char *base = strrchr(name, '/');
    printf("%s: %s", what, rights);
    if (exact) printf(" %lx %lx [%s]", length, offset, base ? base : name);
    puts("");
}

int main(void) {
    t_scratch();
    int fd = t_file("mapped", "");
    ftruncate(fd, 8 * PAGE);
    char *guard = mmap(NULL, 20 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *m = guard + 2 * PAGE;
    mmap(m, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    show("anonymous", m, 1);
    mprotect(m + PAGE, PAGE, PROT_READ);
    show("first", m, 1); show("second", m + PAGE, 1); show("third", m + 2 * PAGE, 1);
    mprotect(m + PAGE, PAGE, PROT_READ | PROT_WRITE);
    mprotect(m, 4 * PAGE, PROT_READ);
    show("whole", m, 1);
    munmap(m + PAGE, PAGE);
    show("hole", m + PAGE, 1); show("behind", m + 2 * PAGE, 1);
    char *f = guard + 10 * PAGE;
    mmap(f, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE);
    show("file", f, 1);
    munmap(f, PAGE);
    show("its rest", f + PAGE, 1);
    mprotect(f + PAGE, PAGE, PROT_READ | PROT_EXEC);
    show("executable", f + PAGE, 1);
    show("text", (void *)main, 0);
    static const char constant[] = "x";
    static char data[] = "y";
    show("constants", (void *)constant, 0);
    show("data", data, 0);
    int local;
    show("stack", &local, 0);
    char rights[8], name[4096];
    unsigned long length, offset;
    find(&local, rights, &length, &offset, name); S(name);
    return 0;
}
