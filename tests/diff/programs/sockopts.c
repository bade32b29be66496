// setsockopt and getsockopt: types, sizes, what is remembered, errors.
#include "t.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static long get(int s, int level, int option) {
    int value = -99;
    socklen_t len = sizeof value;
    return getsockopt(s, level, option, &value, &len) ? -1 : value;
}
static long set(int s, int level, int option, int value) { return setsockopt(s, level, option, &value, sizeof value); }

int main(void) {
    t_scratch();
    int t = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), file = t_file("f", "");
    T(get(t, SOL_SOCKET, SO_TYPE)); T(get(u, SOL_SOCKET, SO_TYPE));
    T(get(t, SOL_SOCKET, SO_DOMAIN)); T(get(t, SOL_SOCKET, SO_PROTOCOL)); T(get(u, SOL_SOCKET, SO_PROTOCOL));
    T(get(t, SOL_SOCKET, SO_ACCEPTCONN));
    T(get(t, SOL_SOCKET, SO_REUSEADDR)); T(set(t, SOL_SOCKET, SO_REUSEADDR, 5)); T(get(t, SOL_SOCKET, SO_REUSEADDR));
    T(set(t, SOL_SOCKET, SO_KEEPALIVE, 1)); T(get(t, SOL_SOCKET, SO_KEEPALIVE));
    T(set(u, SOL_SOCKET, SO_BROADCAST, 1)); T(get(u, SOL_SOCKET, SO_BROADCAST));
    T(set(t, SOL_SOCKET, SO_REUSEPORT, 1)); T(get(t, SOL_SOCKET, SO_REUSEPORT));
    T(set(t, SOL_SOCKET, SO_SNDBUF, 20000)); T(get(t, SOL_SOCKET, SO_SNDBUF)); // doubled
    T(set(t, SOL_SOCKET, SO_RCVBUF, 30000)); T(get(t, SOL_SOCKET, SO_RCVBUF));
    T(get(t, IPPROTO_TCP, TCP_NODELAY)); T(set(t, IPPROTO_TCP, TCP_NODELAY, 1)); T(get(t, IPPROTO_TCP, TCP_NODELAY));
    T(set(t, IPPROTO_TCP, TCP_KEEPIDLE, 100)); T(get(t, IPPROTO_TCP, TCP_KEEPIDLE));
    T(set(t, IPPROTO_TCP, TCP_KEEPINTVL, 7)); T(get(t, IPPROTO_TCP, TCP_KEEPINTVL));
    T(set(t, IPPROTO_TCP, TCP_KEEPCNT, 3)); T(get(t, IPPROTO_TCP, TCP_KEEPCNT));
    T(set(t, IPPROTO_TCP, TCP_KEEPCNT, 1000));
    T(set(t, IPPROTO_IP, IP_TTL, 33)); T(get(t, IPPROTO_IP, IP_TTL));
    T(set(t, IPPROTO_IP, IP_TOS, 16)); T(get(t, IPPROTO_IP, IP_TOS));
    T(get(u, IPPROTO_TCP, TCP_NODELAY));
    T(get(t, SOL_SOCKET, 9999)); T(set(t, SOL_SOCKET, 9999, 1)); T(get(t, 9999, 1)); T(get(t, IPPROTO_TCP, 9999));
    T(set(t, SOL_SOCKET, SO_TYPE, 1)); T(set(t, SOL_SOCKET, SO_ERROR, 1));
    T(get(file, SOL_SOCKET, SO_TYPE)); T(set(-1, SOL_SOCKET, SO_REUSEADDR, 1));
    struct timeval tv = {0, 30000}, back;
    socklen_t len = sizeof back;
    T(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    T(getsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &back, &len)); N(back.tv_sec); C(back.tv_usec >= 30000 && back.tv_usec < 41000);
    char b[8];
    T(recv(u, b, 8, 0));
    tv.tv_usec = 1000000;
    T(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    struct linger l = {1, 5};
    T(setsockopt(t, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    l = (struct linger){0, 0};
    len = sizeof l;
    T(getsockopt(t, SOL_SOCKET, SO_LINGER, &l, &len)); N(l.l_onoff); N(l.l_linger);
    char byte = 1;
    T(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &byte, 1));
    len = 1;
    T(getsockopt(t, SOL_SOCKET, SO_KEEPALIVE, &byte, &len)); N(len); N(byte);
    len = -1;
    T(getsockopt(t, SOL_SOCKET, SO_KEEPALIVE, &byte, &len));
    return 0;
}
