// TCP_FASTOPEN without a cookie: MSG_FASTOPEN connects and sends, the options and their limits.
// diff: cpus=2
#include "net/n.h"
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#define CONNECT 30
#define NO_COOKIE 34
static char b[64];
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int l = n_listener(5), s = socket(AF_INET, SOCK_STREAM, 0), a;
    struct sockaddr_in to = n_v4("127.0.0.1", n_port(l)), none = {.sin_family = AF_UNSPEC}, closed = n_v4("127.0.0.1", 1);
    GET(l, IPPROTO_TCP, TCP_FASTOPEN); SET(l, IPPROTO_TCP, TCP_FASTOPEN, 5); GET(l, IPPROTO_TCP, TCP_FASTOPEN); SET(l, IPPROTO_TCP, TCP_FASTOPEN, -1); SET(l, IPPROTO_TCP, TCP_FASTOPEN, 0); SET(l, IPPROTO_TCP, TCP_FASTOPEN, 5);
    GET(s, IPPROTO_TCP, CONNECT); SET(s, IPPROTO_TCP, CONNECT, 2); SET(s, IPPROTO_TCP, CONNECT, -1); SET(s, IPPROTO_TCP, CONNECT, 0); GET(s, IPPROTO_TCP, NO_COOKIE); SET(s, IPPROTO_TCP, NO_COOKIE, 2); SET(s, IPPROTO_TCP, NO_COOKIE, 0); SET(l, IPPROTO_TCP, CONNECT, 1);
    T(sendto(s, "hello", 5, MSG_FASTOPEN, (void *)&to, sizeof to)); a = accept(l, NULL, NULL); n_await(a, POLLIN); T(recv(a, b, 64, 0)); POLL(s);
    // On a connection.
    T(sendto(s, "again", 5, MSG_FASTOPEN, (void *)&to, sizeof to)); T(send(s, "again", 5, MSG_FASTOPEN)); T(send(s, "plain", 5, 0)); n_await(a, POLLIN); T(recv(a, b, 64, 0)); SET(s, IPPROTO_TCP, TCP_FASTOPEN, 5); SET(s, IPPROTO_TCP, CONNECT, 1); SET(s, IPPROTO_TCP, NO_COOKIE, 1);
    close(s); close(a);
    // Nothing to send, nobody to send to, nobody there.
    s = socket(AF_INET, SOCK_STREAM, 0); T(sendto(s, "", 0, MSG_FASTOPEN, (void *)&to, sizeof to)); PEERNAME(s); a = accept(l, NULL, NULL); C(a >= 0); close(s); close(a);
    s = socket(AF_INET, SOCK_STREAM, 0); T(send(s, "x", 1, MSG_FASTOPEN)); T(sendto(s, "x", 1, MSG_FASTOPEN, (void *)&none, sizeof none)); T(sendto(s, "x", 1, MSG_FASTOPEN, (void *)&to, 8)); T(sendto(s, "x", 1, MSG_FASTOPEN, (void *)&closed, sizeof closed)); T(send(s, "x", 1, 0)); close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); T(sendto(s, "later", 5, MSG_FASTOPEN, (void *)&to, sizeof to)); n_await(s, POLLOUT); GET(s, SOL_SOCKET, SO_ERROR); T(send(s, "later", 5, 0)); a = accept(l, NULL, NULL); n_await(a, POLLIN); T(recv(a, b, 64, 0)); close(s); close(a);
    T(sendto(l, "x", 1, MSG_FASTOPEN, (void *)&to, sizeof to));
    // connect(2) that could wait for the data, if there were a cookie.
    s = socket(AF_INET, SOCK_STREAM, 0); SET(s, IPPROTO_TCP, CONNECT, 1); GET(s, IPPROTO_TCP, CONNECT); T(connect(s, (void *)&to, sizeof to)); T(send(s, "data", 4, 0)); a = accept(l, NULL, NULL); n_await(a, POLLIN); T(recv(a, b, 64, 0)); close(s); close(a);
    int u = socket(AF_INET, SOCK_DGRAM, 0); T(sendto(u, "x", 1, MSG_FASTOPEN, (void *)&to, sizeof to)); SET(u, IPPROTO_TCP, TCP_FASTOPEN, 5);
    return 0;
}
