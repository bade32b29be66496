// diff: libc=glibc; disk=no
// Every kind of descriptor in every call on descriptors: what works, else which error comes first.
#include "../t.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static const char *kind;
static int f;
static char b[8192];

static void say(const char *what, long result) { printf("%s %s: %s\n", kind, what, result < 0 ? t_name(errno) : "ok"); }
#define R(what, call) say(what, (errno = 0, (long)(call)))
#define V(what, call) say(what, (errno = (call)) ? -1 : 0)

static void transfers(void) {
    struct iovec iv = {b, 1};
    R("read nothing", read(f, b, 0)); R("read BAD", read(f, BAD, 1)); R("write nothing", write(f, b, 0)); R("write BAD", write(f, BAD, 1));
    R("readv -1", readv(f, &iv, -1)); R("readv 1025", readv(f, &iv, 1025)); R("writev 1025", writev(f, &iv, 1025));
    R("pread -1", pread(f, b, 1, -1)); R("pwrite -1", pwrite(f, b, 1, -1)); R("preadv2 -1", syscall(SYS_preadv2, f, &iv, 1L, -1L, -1L, 0));
    R("preadv2 -2", syscall(SYS_preadv2, f, &iv, 1L, -2L, -1L, 0)); R("pwritev2 -2", syscall(SYS_pwritev2, f, &iv, 1L, -2L, -1L, 0));
    R("lseek", lseek(f, 0, SEEK_CUR)); R("lseek 9", lseek(f, 0, 9)); R("lseek before", lseek(f, -1, SEEK_SET)); R("lseek data", lseek(f, 0, SEEK_DATA));
    R("lseek hole", lseek(f, 0, SEEK_HOLE)); R("lseek far", lseek(f, LONG_MAX, SEEK_SET)); lseek(f, 0, SEEK_SET);
    if (!strcmp(kind, "pidfd")) return; // of pidfs, which allows other things
    R("pread", pread(f, b, 1, 0)); R("preadv", preadv(f, &iv, 1, 0)); R("preadv2 hipri", syscall(SYS_preadv2, f, &iv, 1L, 0L, 0L, 1));
    if (strcmp(kind, "null") && strcmp(kind, "zero")) R("preadv2 nowait", syscall(SYS_preadv2, f, &iv, 1L, 0L, 0L, 8) < 0 && errno == EOPNOTSUPP ? 0 : -1);
    R("preadv2 flag", syscall(SYS_preadv2, f, &iv, 1L, 0L, 0L, 0x8000));
    if (strcmp(kind, "proc")) {
        R("pwritev2 flag", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 0x8000)); R("pwritev2 append", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 0x10)); R("pwritev2 dsync", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 2));
        if (strcmp(kind, "append")) R("pwritev2 noappend", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 0x20));
        R("pwritev2 both", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 0x30)); R("pwritev2 atomic", syscall(SYS_pwritev2, f, &iv, 1L, 0L, 0L, 0x40));
    }
    if (strcmp(kind, "epoll")) {
        R("readv nothing", readv(f, &iv, 0)); R("readv BAD", readv(f, BAD, 1));
        if (strcmp(kind, "signalfd") && strcmp(kind, "timerfd")) R("writev nothing", writev(f, &iv, 0));
    }
}

static void content(void) {
    int pidfd = !strcmp(kind, "pidfd");
    R("ftruncate -1", ftruncate(f, -1)); R("fallocate 0", fallocate(f, 0, 0, 0)); R("fallocate -1", fallocate(f, 0, -1, 1)); R("fallocate mode", fallocate(f, 0x1000, 0, 1));
    R("fallocate punch", fallocate(f, 2, 0, 1));
    if (!pidfd) {
        R("ftruncate", ftruncate(f, 11)); R("fallocate", fallocate(f, 0, 0, 100)); R("fallocate far", fallocate(f, 0, LONG_MAX, 1)); R("fallocate keep punch", fallocate(f, 3, 0, 1));
        R("sync_file_range", strcmp(kind, "proc") ? sync_file_range(f, 0, 1, 0) : 0);
    }
    V("fadvise", posix_fadvise(f, 0, 0, POSIX_FADV_DONTNEED)); V("fadvise 9", posix_fadvise(f, 0, 0, 9)); V("fadvise -1", posix_fadvise(f, 0, -1, 0));
    R("readahead", readahead(f, 0, 1)); R("sync_file_range 8", sync_file_range(f, 0, 1, 8)); R("sync_file_range -1", sync_file_range(f, -1, 1, 0));
    R("sync_file_range len", sync_file_range(f, 0, -1, 0)); R("fsync", fsync(f)); R("fdatasync", fdatasync(f)); R("syncfs", syncfs(f));
    R("mmap", (long)mmap(0, PAGE, PROT_READ, MAP_PRIVATE, f, 0)); R("mmap shared", (long)mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0));
    R("mmap sync", (long)mmap(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, f, 0)); R("mmap odd", (long)mmap(0, PAGE, PROT_READ, MAP_PRIVATE, f, 1));
    R("mmap far", (long)mmap(0, PAGE, PROT_READ, MAP_PRIVATE, f, -PAGE)); R("mmap nothing", (long)mmap(0, 0, PROT_READ, MAP_PRIVATE, f, 0));
    R("getdents64", syscall(SYS_getdents64, f, b, 0)); R("getdents64 1", syscall(SYS_getdents64, f, b, 1));
}

static void controls(void) {
    struct flock lock = {.l_type = F_RDLCK};
    int owner[2] = {9, 0};
    if (strcmp(kind, "proc")) {
        R("flock", flock(f, LOCK_SH | LOCK_NB)); R("unlock", flock(f, LOCK_UN)); R("read lock", fcntl(f, F_SETLK, &lock)); lock.l_type = F_UNLCK; R("no lock", fcntl(f, F_SETLK, &lock));
        lock.l_type = F_RDLCK; R("get lock", fcntl(f, F_GETLK, &lock));
        if (strcmp(kind, "pidfd")) { R("lease", fcntl(f, F_SETLEASE, F_RDLCK)); R("no lease", fcntl(f, F_SETLEASE, F_UNLCK)); }
    }
    R("flock 0", flock(f, 0)); R("flock 99", flock(f, 99)); lock.l_type = F_WRLCK; R("write lock", fcntl(f, F_SETLK, &lock)); lock.l_type = F_UNLCK; fcntl(f, F_SETLK, &lock);
    lock.l_type = 9; R("lock 9", fcntl(f, F_SETLK, &lock)); lock.l_type = F_RDLCK; lock.l_whence = 9; R("lock whence", fcntl(f, F_SETLK, &lock)); lock.l_whence = 0;
    lock.l_start = -1; R("lock before", fcntl(f, F_SETLK, &lock)); lock.l_start = 0; lock.l_type = F_UNLCK; R("get no lock", fcntl(f, F_GETLK, &lock)); R("lock BAD", fcntl(f, F_SETLK, BAD));
    lock.l_type = F_RDLCK; lock.l_pid = 1; R("own lock", fcntl(f, F_OFD_GETLK, &lock)); R("lease 9", fcntl(f, F_SETLEASE, 9)); R("get lease", fcntl(f, F_GETLEASE));
    R("pipe size", fcntl(f, F_GETPIPE_SZ)); R("get seals", fcntl(f, F_GET_SEALS)); R("add seals", fcntl(f, F_ADD_SEALS, 0)); R("signal 99", fcntl(f, F_SETSIG, 99)); R("signal", fcntl(f, F_SETSIG, 0));
    R("owner", fcntl(f, F_SETOWN, getpid())); R("owner gone", fcntl(f, F_SETOWN, 1 << 23)); R("owner min", fcntl(f, F_SETOWN, INT_MIN)); R("owner 9", fcntl(f, F_SETOWN_EX, owner));
    R("get owner", fcntl(f, F_GETOWN_EX, owner)); R("status flags", fcntl(f, F_SETFL, fcntl(f, F_GETFL))); R("no time", fcntl(f, F_SETFL, fcntl(f, F_GETFL) | O_NOATIME)); R("999", fcntl(f, 999, 0));
    R("dup far", fcntl(f, F_DUPFD, 1 << 30)); R("dup -1", fcntl(f, F_DUPFD, -1)); R("ioctl 0", ioctl(f, 0, 0)); R("FIONBIO", ioctl(f, 0x5421, &(int){1})); R("FIOASYNC", ioctl(f, 0x5452, &(int){0}));
    R("FIOCLEX", ioctl(f, 0x5451)); R("TCGETS", ioctl(f, 0x5401, b)); R("FIGETBSZ", ioctl(f, 2, b)); R("FIOQSIZE", strcmp(kind, "memfd") ? ioctl(f, 0x5460, b) : 0);
}

static void attributes(void) {
    struct stat st;
    struct timespec times[2] = {{1, 0}, {1, 0}};
    R("fstat", fstat(f, &st)); R("fchmod", fchmod(f, 0600)); R("fchdir", fchdir(f)); R("openat", openat(f, "x", O_RDONLY)); R("fstatfs", syscall(SYS_fstatfs, f, b));
    if (strcmp(kind, "proc")) { R("fchown", fchown(f, 0, 0)); R("futimens", futimens(f, times)); }
    R("no xattr", syscall(SYS_fgetxattr, f, "nonsense.a", b, 10L)); R("list xattr", syscall(SYS_flistxattr, f, b, 0L)); R("execveat", execveat(f, "", (char *[]){"x", 0}, NULL, AT_EMPTY_PATH));
}

static void objects(int file, int epoll) {
    struct pollfd pd = {f, POLLIN | POLLOUT, 0};
    struct epoll_event event = {EPOLLIN, {0}};
    struct sockaddr_un name = {AF_UNIX, "name"};
    socklen_t len = sizeof name;
    sigset_t none;
    sigemptyset(&none);
    R("poll", poll(&pd, 1, 0)); printf("  %#x\n", pd.revents); R("epoll_ctl add", epoll_ctl(epoll, EPOLL_CTL_ADD, f, &event)); R("epoll_ctl mod", epoll_ctl(epoll, EPOLL_CTL_MOD, f, &event));
    R("epoll_ctl del", epoll_ctl(epoll, EPOLL_CTL_DEL, f, &event)); R("epoll_wait", epoll_wait(f, &event, 1, 0)); R("epoll_ctl 9", epoll_ctl(f, 9, file, &event));
    R("bind", bind(f, (void *)&name, sizeof name)); R("listen", listen(f, 1)); R("accept", accept(f, NULL, NULL)); R("getsockname", getsockname(f, (void *)&name, &len)); len = sizeof name;
    R("getpeername", getpeername(f, (void *)&name, &len)); R("shutdown 9", shutdown(f, 9)); R("send", send(f, b, 0, MSG_NOSIGNAL | MSG_DONTWAIT)); R("recv", recv(f, b, 0, MSG_DONTWAIT));
    R("getsockopt", getsockopt(f, 1, 3, b, &(socklen_t){4})); R("setsockopt", setsockopt(f, 1, 2, &(int){1}, 4)); R("sendmsg", sendmsg(f, &(struct msghdr){0}, MSG_NOSIGNAL | MSG_DONTWAIT)); unlink("name");
    R("timerfd_settime", timerfd_settime(f, 0, &(struct itimerspec){0}, NULL)); R("timerfd_gettime", timerfd_gettime(f, (void *)b)); R("inotify_add_watch", inotify_add_watch(f, ".", IN_CREATE));
    R("inotify_rm_watch", inotify_rm_watch(f, 99)); R("signalfd", signalfd(f, &none, 0)); R("pidfd_send_signal", syscall(SYS_pidfd_send_signal, f, 0, NULL, 0)); R("pidfd_getfd", syscall(SYS_pidfd_getfd, f, file, 0));
    R("waitid", syscall(SYS_waitid, 3, f, NULL, WNOHANG | WEXITED, NULL)); R("mq_getsetattr", syscall(SYS_mq_getsetattr, f, NULL, NULL)); R("mq_timedsend", syscall(SYS_mq_timedsend, f, b, 1L, 0, NULL));
}

// With an empty pipe that does not wait.
static void moves(int in, int out, int source, int null, int memory) {
    loff_t zero = 0, before = -1;
    int device = !strcmp(kind, "null") || !strcmp(kind, "proc"), pidfd = !strcmp(kind, "pidfd"), full = !strcmp(kind, "pipe write") || !strcmp(kind, "fifo");
    if (!device) R("splice from", splice(f, NULL, out, NULL, 1, 2));
    if (strcmp(kind, "stream")) R("splice to", (write(out, "x", 1), splice(in, NULL, f, NULL, 1, 2)));
    while (read(in, b, 100) > 0) {}
    R("splice pipe offset", splice(f, NULL, out, &zero, 1, 2)); R("tee from", tee(f, out, 1, 2)); R("tee to", (write(out, "x", 1), tee(in, f, 1, 2))); while (read(in, b, 100) > 0) {}
    R("splice flag", splice(f, NULL, out, NULL, 1, 0x80)); R("sendfile BAD", sendfile(null, f, BAD, 1));
    if (!device) R("sendfile from", sendfile(null, f, NULL, 1));
    if (!pidfd) R("sendfile before", sendfile(null, f, &before, 1));
    if (!full) R("sendfile to", sendfile(f, source, NULL, 0));
    zero = 0;
    if (!pidfd) { R("copy from", copy_file_range(f, &zero, memory, NULL, 1, 0)); zero = 0; R("copy to", copy_file_range(source, &zero, f, NULL, 1, 0)); R("copy nothing", copy_file_range(source, NULL, f, NULL, 0, 0)); }
    R("copy flag", copy_file_range(source, NULL, f, NULL, 1, 1));
}

int main(void) {
    t_scratch(); mkdir("kinds", 0755); if (chdir("kinds")) return 1;
    int read_write[2], quiet[2], pair[2];
    if (pipe2(read_write, O_NONBLOCK) || pipe2(quiet, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) || mkfifo("fifo", 0600)) return 1;
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_IGN);
    int file = t_file("f", "hello world"), read_only = open("f", O_RDONLY), epoll = epoll_create1(0), null = open("/dev/null", O_RDWR), memory = memfd_create("x", MFD_ALLOW_SEALING);
    struct { const char *name; int number; } kinds[] = {
        {"file", file}, {"read only", read_only}, {"write only", open("f", O_WRONLY)}, {"append", open("f", O_WRONLY | O_APPEND)}, {"folder", open(".", O_RDONLY)}, {"path", open("f", O_PATH)},
        {"pipe read", read_write[0]}, {"pipe write", read_write[1]}, {"fifo", open("fifo", O_RDWR | O_NONBLOCK)}, {"pair", pair[0]}, {"stream", socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)},
        {"datagrams", socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)}, {"eventfd", eventfd(0, EFD_NONBLOCK)}, {"epoll", epoll}, {"timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)},
        {"inotify", inotify_init1(IN_NONBLOCK)}, {"signalfd", signalfd(-1, &none, SFD_NONBLOCK)}, {"null", null}, {"zero", open("/dev/zero", O_RDWR)}, {"proc", open("/proc/self/status", O_RDONLY)},
        {"memfd", memory}, {"pidfd", syscall(SYS_pidfd_open, getpid(), 0)}, {"closed", 555}, {"minus", -1},
    };
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        kind = kinds[n].name; f = kinds[n].number;
        transfers(); content(); controls(); attributes(); objects(file, epoll); moves(quiet[0], quiet[1], read_only, null, memory);
    }
    return 0;
}
