// bind(2): lengths, families, addresses that are not ours, a second time; getsockname(2) and getpeername(2) with little room.
// diff: cpus=2
#include "net/n.h"
static int try(int family, int type, const void *a, socklen_t len) {
    int s = socket(family, type, 0), result = bind(s, a, len), error = errno;
    close(s);
    errno = error;
    return result;
}
int main(void) {
    struct sockaddr_in a = n_v4("127.0.0.1", 0), b = n_v4("1.2.3.4", 0), g = n_v4("224.0.0.5", 0), e = n_v4("255.255.255.255", 0),
                       n = n_v4("127.77.1.9", 0), z = n_v4("0.0.0.0", 0), un = n_v4("0.0.0.0", 0), una = n_v4("127.0.0.1", 0);
    un.sin_family = una.sin_family = AF_UNSPEC;
    struct sockaddr_in6 a6 = n_v6("::1", 0), b6 = n_v6("2001:db8::1", 0), m6 = n_v6("::ffff:127.0.0.1", 0),
                        l6 = n_v6("fe80::1", 0), g6 = n_v6("ff02::1", 0), z6 = n_v6("::", 0), mx = n_v6("::ffff:1.2.3.4", 0);
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        N(type);
        T(try(AF_INET, type, &a, sizeof a)); T(try(AF_INET, type, &a, 15)); T(try(AF_INET, type, &a, 1)); T(try(AF_INET, type, &a, 0));
        T(try(AF_INET, type, &a, 128)); T(try(AF_INET, type, &a, 129)); T(try(AF_INET, type, &a, -1)); T(try(AF_INET, type, BAD, 16));
        T(try(AF_INET, type, NULL, 16)); T(try(AF_INET, type, &b, sizeof b)); T(try(AF_INET, type, &g, sizeof g));
        T(try(AF_INET, type, &e, sizeof e)); T(try(AF_INET, type, &n, sizeof n)); T(try(AF_INET, type, &z, sizeof z));
        T(try(AF_INET, type, &un, sizeof un)); T(try(AF_INET, type, &una, sizeof una)); T(try(AF_INET, type, &a6, sizeof a6));
        T(try(AF_INET6, type, &a6, sizeof a6)); T(try(AF_INET6, type, &a6, 24)); T(try(AF_INET6, type, &a6, 23));
        T(try(AF_INET6, type, &b6, sizeof b6)); T(try(AF_INET6, type, &m6, sizeof m6)); T(try(AF_INET6, type, &mx, sizeof mx));
        T(try(AF_INET6, type, &l6, sizeof l6)); T(try(AF_INET6, type, &g6, sizeof g6)); T(try(AF_INET6, type, &z6, sizeof z6));
        T(try(AF_INET6, type, &a, sizeof a)); T(try(AF_INET6, type, &un, sizeof un));
    }
    int s = socket(AF_INET, SOCK_STREAM, 0);
    T(n_bind4(s, "127.0.0.1", 0)); T(n_bind4(s, "127.0.0.1", 0)); SOCKNAME(s); PEERNAME(s);
    socklen_t len = 4;
    struct sockaddr_in got;
    memset(&got, 0xee, sizeof got);
    T(getsockname(s, (void *)&got, &len)); N(len); N(got.sin_family); N(((unsigned char *)&got)[4]);
    len = 0; T(getsockname(s, (void *)&got, &len)); N(len);
    len = -1; T(getsockname(s, (void *)&got, &len));
    len = sizeof got; T(getsockname(s, BAD, &len)); T(getsockname(s, (void *)&got, BAD)); T(getpeername(s, (void *)&got, BAD));
    len = -1; T(getpeername(s, (void *)&got, &len));
    int fresh = socket(AF_INET, SOCK_STREAM, 0), fresh6 = socket(AF_INET6, SOCK_STREAM, 0), file = open("/dev/null", O_RDONLY);
    SOCKNAME(fresh); SOCKNAME(fresh6);
    T(bind(file, (void *)&a, sizeof a)); T(bind(-1, (void *)&a, sizeof a)); T(bind(file, BAD, 16)); T(bind(s, BAD, 16));
    T(listen(file, 1)); T(listen(99, 1)); T(connect(file, (void *)&a, 16)); T(accept(file, NULL, NULL)); T(shutdown(file, 9));
    T(getsockname(file, (void *)&got, &len)); T(getsockopt(file, 1, 1, BAD, HOLE)); T(shutdown(-1, 9));
    // Ports below 1024 are for CAP_NET_BIND_SERVICE.
    int low = socket(AF_INET, SOCK_STREAM, 0), low6 = socket(AF_INET6, SOCK_DGRAM, 0);
    T(seteuid(65534)); T(n_bind4(low, "127.0.0.1", 1023)); T(n_bind6(low6, "::1", 1)); T(n_bind4(low, "127.0.0.1", 1024));
    T(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); T(socket(AF_PACKET, SOCK_RAW, 0)); T(seteuid(0));
    return 0;
}
