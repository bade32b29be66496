// Who may have a TCP port beside whom: SO_REUSEADDR, SO_REUSEPORT, listeners, the wildcard, IPv6 with and without V6ONLY.
// diff: cpus=2
#include "net/n.h"
static int make(const char *ip, int port, int reuse, int share, int v6only, int listens, int *out) {
    int six = strchr(ip, ':') != NULL, s = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0), one = 1;
    if (reuse) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, 4);
    if (share) setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, 4);
    if (v6only) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, 4);
    int result = six ? n_bind6(s, ip, port) : n_bind4(s, ip, port);
    *out = s;
    if (result == 0 && listens) result = listen(s, 1) ? -2 : 0;
    return result;
}
int main(void) {
    n_alone();
    const char *ips[] = {"127.0.0.1", "0.0.0.0", "127.0.0.2", "::", "::1", "::ffff:127.0.0.1"};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            for (int kind = 0; kind < 48; kind++) {
                int ra = kind & 1, rb = kind >> 1 & 1, l = kind >> 2 & 1, share = kind >> 3 & 1, only = kind >> 4;
                int a, b;
                make(ips[i], 0, ra, share, only & 1, l, &a);
                int result = make(ips[j], n_port(a), rb, share, only >> 1, 0, &b), error = errno;
                int second = result == 0 ? listen(b, 1) : -9, error2 = errno;
                printf("%s%s%s%s | %s%s%s: %s", ips[i], ra ? " reuse" : "", l ? " listens" : "", only & 1 ? " v6only" : "", ips[j],
                       rb ? " reuse" : "", only >> 1 ? " v6only" : "", result ? t_name(error) : "ok");
                printf("%s, listen: %s\n", share ? " (shared)" : "", second == -9 ? "-" : second ? t_name(error2) : "ok");
                close(a), close(b);
            }
    return 0;
}
