// IPv6 loopback: TCP between ::1 and ::1, IPV6_V6ONLY, mapped addresses.
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, got;
    socklen_t len = sizeof a;
    char text[64], b[8] = "";
    int l = T(socket(AF_INET6, SOCK_STREAM, 0)), c = T(socket(AF_INET6, SOCK_STREAM, 0)), on = 1;
    T(bind(l, (void *)&a, sizeof a));
    T(listen(l, 1));
    T(getsockname(l, (void *)&a, &len)); N(len);
    T(connect(c, (void *)&a, sizeof a));
    int s = T(accept(l, (void *)&got, &len));
    S(inet_ntop(AF_INET6, &got.sin6_addr, text, sizeof text));
    T(write(c, "six", 3));
    T(read(s, b, 8)); S(b);
    int any = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 all = {.sin6_family = AF_INET6};
    T(bind(any, (void *)&all, sizeof all));
    T(listen(any, 1));
    getsockname(any, (void *)&all, &len);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = all.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int c4 = socket(AF_INET, SOCK_STREAM, 0);
    T(connect(c4, (void *)&four, sizeof four));
    s = T(accept(any, (void *)&got, &len));
    S(inet_ntop(AF_INET6, &got.sin6_addr, text, sizeof text));
    int only = socket(AF_INET6, SOCK_STREAM, 0);
    T(setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    all.sin6_port = 0;
    T(bind(only, (void *)&all, sizeof all));
    T(listen(only, 1));
    getsockname(only, (void *)&all, &len);
    four.sin_port = all.sin6_port;
    T(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&four, sizeof four));
    T(connect(c4, (void *)&a, 8));
    return 0;
}
