// poll(2), SO_ERROR, names and calls in each state of a TCP socket.
// diff: cpus=2
#include "net/n.h"
static char b[64];
static void show(const char *state, int s) {
    printf("-- %s\n", state);
    POLL(s); GET(s, SOL_SOCKET, SO_ERROR); SOCKNAME(s); PEERNAME(s);
    char info[256];
    socklen_t len = sizeof info;
    int result = getsockopt(s, IPPROTO_TCP, TCP_INFO, info, &len);
    // FIN-WAIT-1 and FIN-WAIT-2 differ by when the peer acknowledges.
    printf("state %d\n", result ? -1 : info[0] == 5 ? 4 : info[0]);
}
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int s = socket(AF_INET, SOCK_STREAM, 0), l, e[2];
    show("fresh", s);
    T(shutdown(s, SHUT_RD)); T(shutdown(s, SHUT_WR)); T(shutdown(s, 3)); T(shutdown(s, -1)); T(accept(s, NULL, NULL));
    T(n_bind4(s, "127.0.0.1", 0)); show("bound", s); T(shutdown(s, SHUT_RDWR));
    l = n_listener(1); show("listens", l); T(n_connect4(l, "127.0.0.1", n_port(l))); T(shutdown(l, SHUT_WR)); show("listens, shut for writing", l);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    T(n_connect4(c, "127.0.0.1", n_port(l))); n_await(l, POLLIN); show("something to accept", l); show("connected, not accepted", c);
    T(n_connect4(c, "127.0.0.1", n_port(l))); T(listen(c, 1)); T(n_bind4(c, "127.0.0.1", 0)); T(accept(c, NULL, NULL));
    int a = accept(l, NULL, NULL); show("accepted", a); show("empty listener", l);
    T(shutdown(l, SHUT_RD)); show("listener shut for reading", l); T(listen(l, 2)); close(l);
    T(shutdown(a, SHUT_RD)); show("shut for reading", a); T(recv(a, b, 4, 0)); T(send(c, "into the void", 13, 0)); t_sleep_ms(20); T(recv(a, b, 4, MSG_DONTWAIT)); show("shut for reading, with data", a);
    close(a); close(c);
    n_pair(e); T(shutdown(e[0], SHUT_WR)); n_await(e[1], POLLIN); show("sent its end", e[0]); show("has the peer's end", e[1]);
    T(shutdown(e[1], SHUT_WR)); t_sleep_ms(50); show("over, second to end", e[1]); show("over, first to end", e[0]); T(shutdown(e[1], SHUT_WR)); T(shutdown(e[0], SHUT_RDWR)); T(recv(e[0], b, 1, 0)); T(send(e[1], "x", 1, 0));
    close(e[0]); close(e[1]);
    n_pair(e); close(e[1]); n_await(e[0], POLLIN); show("peer closed", e[0]); T(send(e[0], "x", 1, 0)); t_sleep_ms(50); show("reset in answer", e[0]); T(send(e[0], "x", 1, 0)); T(recv(e[0], b, 1, 0)); T(recv(e[0], b, 1, 0)); close(e[0]);
    n_pair(e); T(send(e[0], "unread", 6, 0)); n_await(e[1], POLLIN); close(e[1]); n_await(e[0], POLLHUP); show("peer closed without reading", e[0]);
    T(recv(e[0], b, 1, 0)); T(send(e[0], "x", 1, 0)); T(recv(e[0], b, 1, 0)); close(e[0]);
    n_pair(e); T(send(e[0], "unread", 6, 0)); n_await(e[1], POLLIN); close(e[1]); n_await(e[0], POLLHUP); T(send(e[0], "x", 1, 0)); T(send(e[0], "x", 1, 0)); T(recv(e[0], b, 1, 0)); close(e[0]);
    n_pair(e); struct linger zero = {1, 0}; setsockopt(e[1], SOL_SOCKET, SO_LINGER, &zero, sizeof zero); T(send(e[1], "last", 4, 0)); n_await(e[0], POLLIN); close(e[1]); t_sleep_ms(20); show("reset, with data", e[0]);
    T(recv(e[0], b, 9, 0)); T(recv(e[0], b, 9, 0)); close(e[0]);
    s = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(s, "127.0.0.1", 1)); show("refused", s); T(n_connect4(s, "127.0.0.1", 1)); T(send(s, "x", 1, 0)); T(recv(s, b, 1, 0)); close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); int r = n_connect4(s, "127.0.0.1", 1); C(r == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED)); n_await(s, POLLOUT); POLL(s); T(n_connect4(s, "127.0.0.1", 1)); show("refused later", s); close(s);
    n_pair(e); struct sockaddr none = {.sa_family = AF_UNSPEC}; T(connect(e[0], &none, sizeof none)); show("disconnected", e[0]); n_await(e[1], POLLHUP); show("disconnected by the peer", e[1]); T(recv(e[1], b, 1, 0));
    l = n_listener(1); T(n_connect4(e[0], "127.0.0.1", n_port(l))); show("connected again", e[0]); T(connect(l, &none, sizeof none)); show("listener disconnected", l);
    return 0;
}
