// SO_PEEK_OFF: where MSG_PEEK begins, how it moves, of each kind of socket.
#include "net/n.h"
#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif
static char b[64];
static void look(const char *what, int s, size_t len, int flags) {
    memset(b, 0, sizeof b);
    long n = recv(s, b, len, flags | MSG_DONTWAIT);
    int at = 77; socklen_t size = sizeof at;
    int result = getsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &at, &size);
    printf("%s: %ld %s [%s] then %d\n", what, n, n < 0 ? t_name(errno) : "", n > 0 ? b : "", result ? -errno : at);
}
#define LOOK(len, flags) look("look " #len " " #flags, s[1], len, flags)
static void at(int s, int value) { T(setsockopt(s, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof value)); }
int main(void) {
    int s[2];
    for (int kind = 0; kind < 5; kind++) {
        N(kind);
        if (kind == 0) n_pair(s); else if (kind == 1) n_udp_pair(s); else socketpair(AF_UNIX, kind == 2 ? SOCK_STREAM : kind == 3 ? SOCK_DGRAM : SOCK_SEQPACKET, 0, s);
        GET(s[1], SOL_SOCKET, SO_PEEK_OFF); SETN(s[1], SOL_SOCKET, SO_PEEK_OFF, 1, 2); LOOK(4, MSG_PEEK);
        send(s[0], "abcdefgh", 8, 0); if (kind == 0) n_await(s[1], POLLIN);
        LOOK(4, MSG_PEEK); at(s[1], 0); LOOK(3, MSG_PEEK); LOOK(3, MSG_PEEK); LOOK(10, MSG_PEEK); LOOK(10, MSG_PEEK);
        at(s[1], 2); LOOK(2, MSG_PEEK); LOOK(1, 0); LOOK(2, MSG_PEEK); LOOK(30, 0); LOOK(4, MSG_PEEK);
        at(s[1], 5); send(s[0], "123", 3, 0); send(s[0], "456789", 6, 0); if (kind == 0) t_sleep_ms(20);
        LOOK(2, MSG_PEEK); LOOK(20, MSG_PEEK); LOOK(20, MSG_PEEK); LOOK(2, 0); LOOK(20, MSG_PEEK); at(s[1], 3); LOOK(20, MSG_PEEK | MSG_TRUNC); LOOK(2, MSG_PEEK | MSG_TRUNC);
        at(s[1], -1); LOOK(4, MSG_PEEK); LOOK(4, MSG_PEEK); at(s[1], -7); LOOK(4, MSG_PEEK); at(s[1], 1000); LOOK(4, MSG_PEEK); LOOK(4, 0); LOOK(40, 0); LOOK(40, 0);
        at(s[1], 2); send(s[0], "xyz", 3, 0); if (kind == 0) t_sleep_ms(20); shutdown(s[0], SHUT_WR); LOOK(8, MSG_PEEK); LOOK(8, MSG_PEEK); LOOK(8, 0); LOOK(8, 0);
        close(s[0]); close(s[1]);
    }
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), listener = n_listener(1); GET(raw, SOL_SOCKET, SO_PEEK_OFF); SET(raw, SOL_SOCKET, SO_PEEK_OFF, 1); SET(listener, SOL_SOCKET, SO_PEEK_OFF, 6);
    // Who is accepted has it from the listener.
    int c = socket(AF_INET, SOCK_STREAM, 0); n_connect4(c, "127.0.0.1", n_port(listener)); int a = accept(listener, NULL, NULL); GET(a, SOL_SOCKET, SO_PEEK_OFF);
    return 0;
}
