// diff: libc=glibc
// Message queues of POSIX: names, attributes, order of messages, errors in Linux's order.
#include "files.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>

static long mq(const char *name, int flags, mode_t mode, struct mq_attr *attr) { return syscall(SYS_mq_open, name, flags, mode, attr); }
static void attributes(int q) {
    struct mq_attr a;
    if (T(syscall(SYS_mq_getsetattr, q, NULL, &a)) == 0)
        printf("  flags %#lx max %ld size %ld now %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}
static void status(int q) {
    char text[200] = {0};
    long n = pread(q, text, sizeof text - 1, 0);
    printf("%ld [%s]\n", n, n > 0 ? text : "");
}
static int ready(int q) {
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    return p.revents;
}
static long receive(int q, char *text, size_t len, unsigned *priority) { return syscall(SYS_mq_timedreceive, q, text, len, priority, NULL); }
static long send_(int q, const char *text, size_t len, unsigned priority) { return syscall(SYS_mq_timedsend, q, text, len, priority, NULL); }

int main(void) {
    char text[9000], name[300];
    unsigned priority = 99;
    const char *names[] = {"rkt-diff", "rkt-diff2"};
    for (int i = 0; i < 2; i++) syscall(SYS_mq_unlink, names[i]);
    struct mq_attr small = {.mq_maxmsg = 3, .mq_msgsize = 16};
    T(mq("rkt-diff", O_RDWR, 0, NULL)); T(mq("/rkt-diff", O_RDWR | O_CREAT, 0600, NULL));
    T(mq("a/b", O_RDWR | O_CREAT, 0600, NULL));
    T(mq("", O_RDWR | O_CREAT, 0600, NULL)); T(mq(".", O_RDWR | O_CREAT, 0600, NULL)); T(mq("..", O_RDWR, 0600, NULL));
    T(mq(NULL, O_RDWR, 0600, NULL));
    memset(name, 'n', 299); name[299] = 0; T(mq(name, O_RDWR | O_CREAT, 0600, NULL)); T(mq(name, O_RDWR, 0600, NULL));
    T(syscall(SYS_mq_unlink, name));
    name[255] = 0; T(mq(name, O_RDWR, 0600, NULL)); T(syscall(SYS_mq_unlink, name)); T(syscall(SYS_mq_unlink, ""));
    T(syscall(SYS_mq_unlink, "a/b"));
    T(mq("rkt-diff", O_RDWR | O_CREAT, 0600, BAD));
    for (int i = 0; i < 5; i++) {
        struct mq_attr bad[] = {{.mq_maxmsg = 0, .mq_msgsize = 1}, {.mq_maxmsg = 1, .mq_msgsize = 0}, {.mq_maxmsg = -1, .mq_msgsize = 1},
                                {.mq_maxmsg = 65537, .mq_msgsize = 1}, {.mq_maxmsg = 1, .mq_msgsize = (16 << 20) + 1}};
        printf("%d ", i); T(mq("rkt-diff", O_RDWR | O_CREAT, 0600, &bad[i]));
    }
    umask(027);
    int q = T(mq("rkt-diff", O_RDWR | O_CREAT | O_EXCL, 0666, &small));
    N(fcntl(q, F_GETFD)); N(fcntl(q, F_GETFL));
    struct stat s;
    fstat(q, &s); printf("mode %o size %ld links %ld\n", s.st_mode, (long)s.st_size, (long)s.st_nlink);
    T(mq("rkt-diff", O_RDWR | O_CREAT | O_EXCL, 0666, &small)); T(mq("rkt-diff", O_RDWR | O_WRONLY, 0, NULL));
    int again = T(mq("rkt-diff", O_RDONLY | O_CREAT | O_NONBLOCK, 0666, &(struct mq_attr){.mq_maxmsg = -5})), writer = T(mq("rkt-diff", O_WRONLY, 0, NULL));
    attributes(q); attributes(again); status(q); N(ready(q));
    T(send_(q, "low", 3, 1)); T(send_(q, "high", 4, 7)); T(send_(q, "", 0, 1)); attributes(writer); status(again); N(ready(q));
    T(send_(again, "x", 1, 0)); T(send_(writer, text, 17, 0)); T(send_(writer, BAD, 3, 0)); T(send_(writer, "x", 1, 32768));
    T(send_(1000, "x", 1, 0)); T(send_(1, "x", 1, 0));
    struct timespec past = {1, 0}, bad = {0, 1000000000}, negative = {-1, 0};
    T(syscall(SYS_mq_timedsend, q, "x", 1, 0, &past)); T(syscall(SYS_mq_timedsend, q, "x", 1, 0, &bad));
    T(syscall(SYS_mq_timedsend, q, "x", 1, 0, &negative));
    T(syscall(SYS_mq_timedsend, q, "x", 1, 0, BAD)); T(syscall(SYS_mq_timedsend, -1, "x", 1, 40000, BAD));
    T(receive(q, text, 15, &priority)); T(receive(writer, text, 16, &priority)); T(receive(q, BAD, 16, &priority));
    attributes(q);
    T(receive(again, text, 16, &priority)); N(priority); printf("[%.3s]\n", text);
    T(receive(again, text, 16, NULL)); T(receive(again, text, 16, &priority)); N(ready(q));
    T(syscall(SYS_mq_timedreceive, q, text, 16, NULL, &past)); T(syscall(SYS_mq_timedreceive, q, text, 16, NULL, &bad));
    T(syscall(SYS_mq_timedreceive, 0, text, 16, NULL, NULL));
    for (int i = 0; i < 3; i++) { char c = 'a' + i; send_(q, &c, 1, 5); }
    for (int i = 0; i < 3; i++) { receive(q, text, 16, &priority); printf("%c/%u\n", text[0], priority); }
    struct mq_attr set = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 77}, old;
    T(syscall(SYS_mq_getsetattr, q, &set, &old)); N(old.mq_flags); N(old.mq_maxmsg); attributes(q);
    N(fcntl(q, F_GETFL) & O_NONBLOCK);
    T(receive(q, text, 16, NULL)); set.mq_flags = O_APPEND; T(syscall(SYS_mq_getsetattr, q, &set, NULL));
    T(syscall(SYS_mq_getsetattr, 0, NULL, &old));
    T(syscall(SYS_mq_getsetattr, q, BAD, NULL)); T(syscall(SYS_mq_getsetattr, q, NULL, BAD));
    T(syscall(SYS_mq_getsetattr, -1, NULL, NULL)); T(syscall(SYS_mq_getsetattr, q, NULL, NULL));
    set.mq_flags = 0; T(syscall(SYS_mq_getsetattr, q, &set, NULL));
    fflush(stdout);
    if (fork() == 0) { t_sleep_ms(50); send_(writer, "from child", 10, 3); _exit(0); }
    T(receive(q, text, 16, &priority)); printf("[%.10s] %u\n", text, priority); wait(NULL);
    AS(1000, 1000) {
        T(mq("rkt-diff", O_RDONLY, 0, NULL)); T(syscall(SYS_mq_unlink, "rkt-diff")); T(syscall(SYS_mq_unlink, "rkt-none"));
        struct mq_attr many = {.mq_maxmsg = 11, .mq_msgsize = 1}, wide = {.mq_maxmsg = 1, .mq_msgsize = 8193};
        T(mq("rkt-diff2", O_RDWR | O_CREAT, 0600, &many)); T(mq("rkt-diff2", O_RDWR | O_CREAT, 0600, &wide));
        int own = T(mq("rkt-diff2", O_RDWR | O_CREAT, 0, NULL)); attributes(own); T(mq("rkt-diff2", O_RDWR, 0, NULL));
        T(syscall(SYS_mq_unlink, "rkt-diff2"));
    }
    // the limit of bytes: a queue counts for messages and for what Linux keeps beside them
    setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){3 * (16 + 96), 3 * (16 + 96)});
    struct mq_attr exact = {.mq_maxmsg = 3, .mq_msgsize = 16}, over = {.mq_maxmsg = 3, .mq_msgsize = 17};
    AS(1001, 1001) {
        T(mq("rkt-diff2", O_RDWR | O_CREAT, 0600, &over)); int own = T(mq("rkt-diff2", O_RDWR | O_CREAT, 0600, &exact));
        T(mq("rkt-diff3", O_RDWR | O_CREAT, 0600, &exact));
        T(syscall(SYS_mq_unlink, "rkt-diff2")); T(mq("rkt-diff3", O_RDWR | O_CREAT, 0600, &exact)); close(own);
        T(mq("rkt-diff3", O_RDWR | O_CREAT, 0600, &exact)); T(syscall(SYS_mq_unlink, "rkt-diff3"));
    }
    T(syscall(SYS_mq_unlink, "rkt-diff")); T(syscall(SYS_mq_unlink, "rkt-diff")); attributes(q);
    T(send_(writer, "after", 5, 0)); T(receive(q, text, 16, NULL));
    fstat(q, &s); N(s.st_nlink); T(lseek(q, 5, SEEK_SET)); T(write(q, "x", 1)); T(ftruncate(q, 0));
    return 0;
}
