// SCM_RIGHTS and SCM_CREDENTIALS.
#include "t.h"
#include <sys/socket.h>

static long pass(int socket, int *fds, int n, const char *text) {
    union { struct cmsghdr align; char bytes[CMSG_SPACE(8 * sizeof(int))]; } c;
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    memset(&c, 0, sizeof c);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(h), fds, n * sizeof(int));
    return sendmsg(socket, &m, 0);
}
static int got[8], count, flags;
static long take(int socket, size_t space, int how) {
    union { struct cmsghdr align; char bytes[256]; } c;
    char b[64];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = space};
    long r = recvmsg(socket, &m, how);
    int error = errno;
    flags = m.msg_flags & (MSG_CTRUNC | MSG_TRUNC), count = 0;
    for (struct cmsghdr *h = r < 0 ? NULL : CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS) { count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); memcpy(got, CMSG_DATA(h), count * sizeof(int)); }
        if (h->cmsg_type == SCM_CREDENTIALS) {
            struct ucred *u = (void *)CMSG_DATA(h);
            printf("  credentials: ours %d uid %d gid %d\n", u->pid == getpid(), u->uid, u->gid);
        }
    }
    errno = error;
    return r;
}

int main(void) {
    t_scratch();
    int s[2], file = t_file("file", "contents"), p[2], on = 1;
    pipe(p);
    char b[16] = "";
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    lseek(file, 3, SEEK_SET);
    T(pass(s[0], (int[]){file, p[1]}, 2, "two"));
    close(p[1]);
    T(take(s[1], 256, MSG_CMSG_CLOEXEC)); N(count); N(flags);
    T(fcntl(got[0], F_GETFD));
    T(read(got[0], b, 16)); S(b); // the offset is shared
    T(lseek(file, 0, SEEK_CUR));
    T(write(got[1], "alive", 5));
    T(read(p[0], b, 16));
    close(got[1]);
    T(read(p[0], b, 16));
    T(pass(s[0], (int[]){file, 999}, 2, "bad"));
    T(pass(s[0], (int[]){file, file, file}, 3, "cut"));
    T(take(s[1], CMSG_LEN(sizeof(int)), 0)); N(count); N(flags);
    T(pass(s[0], (int[]){file}, 1, "lost"));
    T(take(s[1], 0, 0)); N(count); N(flags);
    T(pass(s[0], (int[]){file}, 1, "one"));
    T(write(s[0], "plain", 5));
    T(take(s[1], 256, 0)); N(count); // descriptors keep messages apart
    T(take(s[1], 256, 0)); N(count);
    T(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    T(pass(s[0], (int[]){s[0], s[1]}, 2, "itself"));
    T(take(s[1], 256, 0)); N(count);
    T(write(s[0], "who", 3));
    T(take(s[1], 256, 0));
    struct ucred peer;
    socklen_t len = sizeof peer;
    T(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &len));
    C(peer.pid == getpid()); N(peer.uid);
    return 0;
}
