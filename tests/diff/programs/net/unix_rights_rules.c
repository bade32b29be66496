// SCM_RIGHTS: how many, which, what is left when there is no room, peeking, closing unread, streams and their borders.
#include "net/n.h"
#include <dirent.h>
static ssize_t give(int s, const int *fds, int count, const char *text, int len) {
    char control[CMSG_SPACE(260 * sizeof(int))] = {0};
    struct iovec v = {(void *)text, len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    return sendmsg(s, &m, MSG_DONTWAIT);
}
static int open_files(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d)) n++;
    closedir(d);
    return n - 3;
}
static void take(const char *what, int s, size_t room, int flags) {
    char b[16] = "", control[CMSG_SPACE(260 * sizeof(int))];
    struct iovec v = {b, 15};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    int before = open_files();
    ssize_t n = recvmsg(s, &m, MSG_DONTWAIT | flags);
    printf("%s: %zd %s [%s] flags %#x control %zu, %d more open\n", what, n, n < 0 ? t_name(errno) : "", n < 0 ? "" : b, n < 0 ? 0 : m.msg_flags, (size_t)m.msg_controllen, open_files() - before);
    if (n < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        int count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), *fds = (void *)CMSG_DATA(c);
        printf("  level %d type %d len %zu, close-on-exec %d\n", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, count > 0 ? fcntl(fds[0], F_GETFD) : -1);
        if (c->cmsg_type == SCM_RIGHTS) for (int i = 0; i < count; i++) close(fds[i]);
    }
}
int main(void) {
    t_scratch();
    signal(SIGPIPE, SIG_IGN);
    int s[2], file = t_file("f", "content"), all[260], bad[] = {file, 999}, minus[] = {-1};
    for (int i = 0; i < 260; i++) all[i] = file;
    for (int kind = SOCK_STREAM; kind <= SOCK_SEQPACKET; kind += kind == SOCK_DGRAM ? 3 : 1) {
        N(kind);
        T(socketpair(AF_UNIX, kind, 0, s));
        T(give(s[0], all, 1, "one", 3)); take("one", s[1], 256, 0); T(give(s[0], all, 3, "three", 5)); take("three", s[1], 256, MSG_CMSG_CLOEXEC); T(give(s[0], all, 253, "253", 3)); take("253", s[1], 2000, 0); T(give(s[0], all, 254, "254", 3)); T(give(s[0], bad, 2, "bad", 3)); T(give(s[0], minus, 1, "minus", 5)); T(give(s[0], all, 0, "none", 4)); take("none", s[1], 256, 0);
        T(give(s[0], all, 3, "a", 1)); take("room for two", s[1], CMSG_LEN(8), 0); T(give(s[0], all, 3, "a", 1)); take("room for one and a half", s[1], CMSG_LEN(6), 0); T(give(s[0], all, 3, "a", 1)); take("room for the head", s[1], CMSG_LEN(0), 0); T(give(s[0], all, 3, "a", 1)); take("room for nothing", s[1], 0, 0); T(give(s[0], all, 2, "a", 1)); take("room for a part of the head", s[1], 7, 0);
        T(give(s[0], all, 2, "peek", 4)); take("peek", s[1], 256, MSG_PEEK); take("peek", s[1], 256, MSG_PEEK); take("take", s[1], 256, 0);
        int before = open_files(); T(give(s[0], all, 2, "unread", 6)); char b[16]; T(read(s[1], b, 3)); take("the rest", s[1], 256, 0); C(open_files() == before);
        T(give(s[0], all, 1, "", 0)); take("no bytes", s[1], 256, 0);
        if (kind == SOCK_STREAM) {
            T(send(s[0], "ab", 2, 0)); T(give(s[0], all, 1, "cd", 2)); T(send(s[0], "ef", 2, 0)); T(give(s[0], all, 1, "gh", 2)); take("up to the rights", s[1], 256, 0); take("and on", s[1], 256, 0); take("and on", s[1], 256, 0); take("and on", s[1], 256, 0);
            T(give(s[0], all, 1, "abcdef", 6)); T(recv(s[1], b, 2, 0)); take("after a part was read", s[1], 256, 0);
        }
        T(give(s[0], s, 1, "itself", 6)); close(s[0]); take("a socket through itself", s[1], 256, 0);
        if (kind != SOCK_DGRAM) T(read(s[1], b, 4)); // nobody is connected to datagrams for good
        close(s[1]);
    }
    // A file that is nowhere open but on its way.
    T(socketpair(AF_UNIX, SOCK_DGRAM, 0, s)); int p[2]; T(pipe(p)); T(give(s[0], &p[0], 1, "reader", 6)); close(p[0]); T(write(p[1], "x", 1)); close(s[0]); close(s[1]); T(write(p[1], "x", 1)); printf("%s\n", t_name(errno));
    int e[2]; n_pair(e); T(give(e[0], all, 1, "tcp", 3)); n_udp_pair(e); T(give(e[0], all, 1, "udp", 3));
    return 0;
}
