// socketpair and AF_UNIX streams: data, half-close, names, accept, errors.
#include "t.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    t_scratch();
    signal(SIGPIPE, SIG_IGN);
    int s[2], n;
    char b[64] = "";
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    T(write(s[0], "hello", 5));
    T(send(s[0], " world", 6, 0));
    T(ioctl(s[1], FIONREAD, &n)); N(n);
    T(recv(s[1], b, 5, MSG_PEEK));
    T(recv(s[1], b, 64, 0)); S(b);
    T(recv(s[1], b, 64, MSG_DONTWAIT));
    T(shutdown(s[0], SHUT_WR));
    T(read(s[1], b, 64));
    T(write(s[0], "x", 1));
    T(write(s[1], "back", 4));
    T(read(s[0], b, 64));
    T(close(s[1]));
    T(read(s[0], b, 64));
    T(send(s[0], "x", 1, MSG_NOSIGNAL));
    T(shutdown(s[0], 77));
    T(socketpair(AF_INET, SOCK_STREAM, 0, s));
    T(socketpair(AF_UNIX, SOCK_STREAM, 99, s));
    T(socketpair(99, SOCK_STREAM, 0, s));

    struct sockaddr_un a = {AF_UNIX, "socket"}, got;
    socklen_t len = sizeof a;
    int l = T(socket(AF_UNIX, SOCK_STREAM, 0)), c = T(socket(AF_UNIX, SOCK_STREAM, 0));
    T(connect(c, (void *)&a, len));
    T(listen(l, 5));
    T(bind(l, (void *)&a, len));
    T(bind(l, (void *)&a, len));
    T(bind(c, (void *)&a, len));
    T(connect(c, (void *)&a, len));
    T(listen(l, 5));
    T(connect(c, (void *)&a, len));
    T(connect(c, (void *)&a, len));
    T(write(c, "early", 5));
    len = sizeof got;
    int p = T(accept(l, (void *)&got, &len)); N(len);
    T(read(p, b, 64));
    len = sizeof got;
    T(getsockname(p, (void *)&got, &len)); N(len); S(got.sun_path);
    len = sizeof got;
    T(getpeername(c, (void *)&got, &len)); N(len);
    len = sizeof got;
    T(getpeername(l, (void *)&got, &len));
    fcntl(l, F_SETFL, O_NONBLOCK);
    T(accept(l, NULL, NULL));
    T(accept(c, NULL, NULL));
    struct stat st;
    T(stat("socket", &st));
    C(S_ISSOCK(st.st_mode));
    T(open("socket", O_RDWR));
    T(unlink("socket"));
    int c2 = socket(AF_UNIX, SOCK_STREAM, 0);
    T(connect(c2, (void *)&a, sizeof a));
    struct sockaddr_un hidden = {.sun_family = AF_UNIX}; // an abstract name, and one that no other run has
    snprintf(hidden.sun_path + 1, 16, "rkt-diff%07d", getpid());
    int h = socket(AF_UNIX, SOCK_STREAM, 0);
    T(bind(h, (void *)&hidden, 2 + 16));
    T(listen(h, 1));
    T(connect(c2, (void *)&hidden, 2 + 16));
    len = sizeof got;
    T(getpeername(c2, (void *)&got, &len)); N(len); C(memcmp(got.sun_path, hidden.sun_path, 16) == 0);
    close(h);
    T(read(c2, b, 1));
    hidden.sun_family = AF_INET;
    T(connect(c2, (void *)&hidden, 18));
    T(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, 1));
    T(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, 200));
    return 0;
}
