// AF_UNIX datagrams and sequenced packets: borders, truncation, addresses, full queues.
#include "t.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    t_scratch();
    signal(SIGPIPE, SIG_IGN);
    int s[2];
    char b[64] = "";
    socklen_t len;
    for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
        N(type);
        T(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s));
        T(send(s[0], "first", 5, 0));
        T(send(s[0], "second", 6, 0));
        T(send(s[0], "", 0, 0));
        T(recv(s[1], b, 64, MSG_PEEK));
        T(recv(s[1], b, 3, 0));
        T(recv(s[1], b, 3, MSG_TRUNC));
        T(recv(s[1], b, 64, 0));
        T(recv(s[1], b, 64, 0));
        struct iovec v = {b, 2};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        send(s[0], "long one", 8, 0);
        T(recvmsg(s[1], &m, 0));
        N(m.msg_flags & MSG_TRUNC ? 1 : 0); N(m.msg_flags & MSG_EOR ? 1 : 0);
        T(shutdown(s[0], SHUT_RDWR));
        T(send(s[1], "x", 1, 0));
        T(recv(s[0], b, 1, 0));
        close(s[0]);
        T(recv(s[1], b, 64, 0));
        T(send(s[1], "x", 1, 0));
    }
    struct sockaddr_un a = {AF_UNIX, "a"}, c = {AF_UNIX, "c"}, from;
    int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
    T(sendto(y, "x", 1, 0, (void *)&a, sizeof a));
    T(send(y, "x", 1, 0));
    T(bind(x, (void *)&a, sizeof a));
    T(bind(y, (void *)&c, sizeof c));
    T(sendto(y, "named", 5, 0, (void *)&a, sizeof a));
    len = sizeof from;
    T(recvfrom(x, b, 64, 0, (void *)&from, &len)); N(len); S(from.sun_path);
    T(connect(y, (void *)&a, sizeof a));
    T(send(y, "connected", 9, 0));
    T(recv(x, b, 64, 0));
    T(listen(x, 1));
    T(accept(x, NULL, NULL));
    close(x);
    T(send(y, "x", 1, 0));
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    T(connect(stream, (void *)&c, sizeof c));
    T(sendto(y, "x", 1, 0, (void *)&c, sizeof c));
    return 0;
}
