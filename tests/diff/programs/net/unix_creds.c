// SO_PASSCRED, SCM_CREDENTIALS, SO_PEERCRED: who is told, what may be said, names that are given out on the way.
#include "net/n.h"
static void show(const char *what, int s, size_t room) {
    char b[32] = "", control[256];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    ssize_t n = recvmsg(s, &m, MSG_DONTWAIT);
    printf("%s: %zd %s [%s] flags %#x control %zu\n", what, n, n < 0 ? t_name(errno) : "", n < 0 ? "" : b, m.msg_flags, (size_t)m.msg_controllen);
    if (n < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        printf("  level %d type %d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len >= CMSG_LEN(sizeof(struct ucred))) {
            struct ucred *u = (void *)CMSG_DATA(c);
            printf(" pid %s uid %d gid %d", u->pid == getpid() ? "mine" : u->pid ? "another" : "none", (int)u->uid, (int)u->gid);
        }
        printf("\n");
    }
}
static ssize_t with(int s, struct ucred u, size_t size) {
    char control[64] = {0};
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_CREDENTIALS, c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), &u, size);
    return sendmsg(s, &m, 0);
}
static void peer(const char *what, int s) {
    struct ucred u;
    socklen_t len = sizeof u;
    int result = getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &len);
    printf("%s: %s, pid %s uid %d gid %d (%u bytes)\n", what, result ? t_name(errno) : "ok", u.pid == getpid() ? "mine" : u.pid ? "another" : "none", (int)u.uid, (int)u.gid, len);
}
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    int s[2], on = 1, off = 0, child = fork();
    if (!child) { pause(); _exit(0); }
    for (int i = 0; i < 3; i++) {
        N(kinds[i]);
        T(socketpair(AF_UNIX, kinds[i], 0, s)); peer("pair", s[0]); GET(s[0], SOL_SOCKET, SO_PASSCRED);
        send(s[0], "plain", 5, 0); show("nobody asked", s[1], 256);
        setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, 4);
        send(s[0], "asked", 5, 0); show("asked", s[1], 256); send(s[0], "asked", 5, 0); show("asked, no room", s[1], 0); send(s[0], "asked", 5, 0); show("asked, room for the head", s[1], 16);
        send(s[0], "asked", 5, 0); show("asked, room for a part", s[1], 20); send(s[0], "asked", 5, 0); show("asked, room for it", s[1], CMSG_LEN(sizeof(struct ucred)));
        struct ucred me = {getpid(), getuid(), getgid()}, other = {child, 4711, 4712}, wrong = {99999999, 0, 0};
        T(with(s[0], me, sizeof me)); show("mine", s[1], 256); T(with(s[0], other, sizeof other)); show("another's", s[1], 256); T(with(s[0], wrong, sizeof wrong)); T(with(s[0], me, 8)); T(with(s[0], me, 0));
        setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &off, 4); T(with(s[0], me, sizeof me)); show("said, not asked", s[1], 256);
        send(s[0], "before", 6, 0); setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, 4); show("asked after it was sent", s[1], 256);
        if (kinds[i] == SOCK_STREAM) {
            send(s[0], "ab", 2, 0); send(s[0], "cd", 2, 0); show("two of one sender", s[1], 256);
            with(s[0], other, sizeof other); send(s[0], "e", 1, 0); show("two of two senders", s[1], 256); show("the second", s[1], 256);
        }
        T(seteuid(65534)); T(with(s[0], other, sizeof other)); struct ucred half = {getpid(), 65534, 0}; T(with(s[0], half, sizeof half)); show("without capabilities", s[1], 256); T(seteuid(0));
        close(s[0]), close(s[1]);
    }
    // Connecting tells who listened, and who connected.
    struct sockaddr_un a = {AF_UNIX, "\0rkt-net-creds"};
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    peer("fresh", c); T(bind(l, (void *)&a, 16)); peer("bound", l); T(listen(l, 1)); peer("listening", l);
    setsockopt(l, SOL_SOCKET, SO_PASSCRED, &on, 4);
    T(seteuid(1234)); T(connect(c, (void *)&a, 16)); T(seteuid(0)); peer("connected", c); int t = accept(l, NULL, NULL); peer("accepted", t); GET(t, SOL_SOCKET, SO_PASSCRED);
    send(c, "hello", 5, 0); show("to who was accepted", t, 256);
    // Who passes credentials has a name.
    int p = socket(AF_UNIX, SOCK_STREAM, 0); setsockopt(p, SOL_SOCKET, SO_PASSCRED, &on, 4); struct sockaddr_un n; socklen_t len = sizeof n; T(getsockname(p, (void *)&n, &len)); N(len);
    T(connect(p, (void *)&a, 16)); len = sizeof n; T(getsockname(p, (void *)&n, &len)); N(len); t = accept(l, (void *)&n, &len); N(len);
    int d = socket(AF_UNIX, SOCK_DGRAM, 0), e = socket(AF_UNIX, SOCK_DGRAM, 0); bind(d, (void *)&a, 16); setsockopt(e, SOL_SOCKET, SO_PASSCRED, &on, 4);
    T(sendto(e, "x", 1, 0, (void *)&a, 16)); len = sizeof n; T(getsockname(e, (void *)&n, &len)); N(len); char b[4]; len = sizeof n; T(recvfrom(d, b, 4, 0, (void *)&n, &len)); N(len);
    kill(child, SIGKILL), waitpid(child, NULL, 0);
    // A child's words.
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s); setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, 4);
    if (fork() == 0) { send(s[0], "child", 5, 0); _exit(0); }
    wait(NULL); show("a child", s[1], 256); peer("pair after the child", s[1]);
    return 0;
}
