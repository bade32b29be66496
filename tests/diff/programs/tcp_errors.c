// TCP: refused, in use, not connected, wrong families, reset, nonblocking connect, SO_ERROR.
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static int tcp(int flags) { return socket(AF_INET, SOCK_STREAM | flags, 0); }

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, bound;
    socklen_t len = sizeof bound;
    char b[8];
    int l = tcp(0), c = tcp(0), error = 0;
    T(read(c, b, 1));
    T(write(c, b, 1));
    T(shutdown(c, SHUT_RDWR));
    T(getpeername(c, (void *)&bound, &len));
    T(accept(c, NULL, NULL));
    T(bind(l, (void *)&a, sizeof a));
    getsockname(l, (void *)&bound, &len);
    T(bind(l, (void *)&a, sizeof a));
    T(connect(c, (void *)&bound, sizeof bound)); // bound, but nobody listens
    T(bind(tcp(0), (void *)&bound, sizeof bound));
    T(listen(l, 1));
    T(bind(tcp(0), (void *)&bound, 8));
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304), .sin_port = htons(1)};
    T(bind(tcp(0), (void *)&far, sizeof far));
    a.sin_family = AF_UNIX;
    T(bind(tcp(0), (void *)&a, sizeof a));
    T(connect(tcp(0), (void *)&a, sizeof a));
    T(connect(0, (void *)&bound, sizeof bound));
    T(connect(-1, (void *)&bound, sizeof bound));
    T(socket(AF_INET, 99, 0));
    T(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    T(socket(77, SOCK_STREAM, 0));
    T(socket(AF_INET, SOCK_STREAM, 999));

    c = tcp(SOCK_NONBLOCK);
    long r = connect(c, (void *)&bound, sizeof bound);
    C(r == 0 || errno == EINPROGRESS);
    struct pollfd f = {c, POLLOUT, 0};
    T(poll(&f, 1, 5000)); N(f.revents);
    len = sizeof error;
    T(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len)); N(error);
    T(recv(c, b, 1, 0));
    int s = T(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    T(syscall(SYS_accept4, l, NULL, NULL, 0x1234));
    struct linger hard = {1, 0};
    T(setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    close(s);
    f.events = POLLIN;
    T(poll(&f, 1, 5000));
    N(f.revents);
    T(read(c, b, 1));
    T(read(c, b, 1));
    T(write(c, b, 1));
    close(l);
    c = tcp(SOCK_NONBLOCK);
    r = connect(c, (void *)&bound, sizeof bound);
    C(r == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
    if (errno == EINPROGRESS) {
        f = (struct pollfd){c, POLLOUT, 0};
        poll(&f, 1, 5000);
        getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len);
        C(error == ECONNREFUSED);
    } else puts("error == ECONNREFUSED: yes");
    T(connect(tcp(0), (void *)&bound, sizeof bound));
    return 0;
}
