// process_vm_readv and process_vm_writev, process_madvise, kcmp, membarrier, and calls that are refused in a clear way.
#include "../t.h"
#include <sys/uio.h>

static long rd(pid_t p, struct iovec *l, unsigned long n, struct iovec *r, unsigned long m, unsigned long f) { return syscall(SYS_process_vm_readv, p, l, n, r, m, f); }
static long wr(pid_t p, struct iovec *l, unsigned long n, struct iovec *r, unsigned long m, unsigned long f) { return syscall(SYS_process_vm_writev, p, l, n, r, m, f); }
static char text[] = "what the parent holds", *area;
int main(void) {
    char buffer[64] = "", other[32] = "";
    struct iovec l = {buffer, sizeof text}, r = {text, sizeof text}, bad = {BAD, 8}, split[2] = {{text, 5}, {text + 5, sizeof text - 5}};
    T(rd(getpid(), &l, 1, &r, 1, 0)); S(buffer);
    T(rd(getpid(), &l, 1, &r, 1, 1));
    T(rd(1 << 22, &l, 1, &r, 1, 0));
    T(rd(-1, &l, 1, &r, 1, 0));
    T(rd(getpid(), &bad, 1, &r, 1, 0));
    T(rd(getpid(), &l, 1, &bad, 1, 0));
    T(rd(getpid(), BAD, 1, &r, 1, 0));
    T(rd(getpid(), &l, 1, BAD, 1, 0));
    T(rd(getpid(), &l, 1025, &r, 1, 0));
    T(rd(getpid(), &l, 1, &r, 1025, 0));
    T(rd(getpid(), &l, 0, &r, 1, 0));
    T(rd(getpid(), &l, 1, &r, 0, 0));
    T(rd(getpid(), &l, 1, split, 2, 0));
    split[1].iov_base = BAD;
    T(rd(getpid(), &l, 1, split, 2, 0)); // in part
    struct iovec negative = {buffer, (size_t)-1};
    T(rd(getpid(), &negative, 1, &r, 1, 0));
    // A child with other contents at the same addresses.
    area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(area, "before");
    int ready[2], go[2];
    pipe(ready); pipe(go);
    pid_t p = fork();
    if (p == 0) {
        strcpy(area, "of the child");
        strcpy(area + 2 * PAGE - 3, "crossing");
        munmap(area + 3 * PAGE, PAGE);
        write(ready[1], "x", 1);
        read(go[0], other, 1);
        S(area);
        S(area + PAGE);
        _exit(0);
    }
    read(ready[0], other, 1);
    r = (struct iovec){area, 13};
    l = (struct iovec){buffer, sizeof buffer};
    memset(buffer, 0, sizeof buffer);
    T(rd(p, &l, 1, &r, 1, 0)); S(buffer);
    r = (struct iovec){area + 2 * PAGE - 3, 9};
    T(rd(p, &l, 1, &r, 1, 0)); S(buffer);
    r = (struct iovec){area + 3 * PAGE - 4, 8};
    T(rd(p, &l, 1, &r, 1, 0)); // up to the hole
    r = (struct iovec){area + 3 * PAGE, 8};
    T(rd(p, &l, 1, &r, 1, 0));
    strcpy(buffer, "written from outside");
    l = (struct iovec){buffer, 21};
    struct iovec to[2] = {{area, 8}, {area + PAGE, 13}};
    T(wr(p, &l, 1, to, 2, 0));
    S(area);
    if (fork() == 0) { setuid(54321); T(rd(p, &l, 1, to, 1, 0)); T(wr(p, &l, 1, to, 1, 0)); _exit(0); }
    wait(NULL);
    write(go[1], "x", 1);
    waitpid(p, NULL, 0);
    T(rd(p, &l, 1, to, 1, 0));
    // kcmp.
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
    T(syscall(SYS_kcmp, getpid(), getpid(), 0, a, b));
    T(syscall(SYS_kcmp, getpid(), getpid(), 0, a, c) != 0);
    T(syscall(SYS_kcmp, getpid(), getpid(), 0, a, 999));
    T(syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0));
    T(syscall(SYS_kcmp, getpid(), getpid(), 2, 0, 0));
    T(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0));
    T(syscall(SYS_kcmp, getpid(), 1 << 22, 1, 0, 0));
    p = fork();
    if (p == 0) { pause(); _exit(0); }
    T(syscall(SYS_kcmp, getpid(), p, 1, 0, 0) != 0);
    T(syscall(SYS_kcmp, getpid(), p, 2, 0, 0) != 0);
    T(syscall(SYS_kcmp, getpid(), p, 0, a, a));
    kill(p, SIGKILL);
    wait(NULL);
    return 0;
}
