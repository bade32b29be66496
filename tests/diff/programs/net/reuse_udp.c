// The same for UDP, where SO_REUSEADDR is enough.
#include "net/n.h"
int main(void) {
    n_alone();
    const char *ips[] = {"127.0.0.1", "0.0.0.0", "127.0.0.2", "::", "::1", "::ffff:127.0.0.1"};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            for (int kind = 0; kind < 64; kind++) {
                int set[6], result[2] = {0, 0}, error = 0, s[2];
                for (int bit = 0; bit < 6; bit++) set[bit] = kind >> bit & 1;
                for (int n = 0; n < 2; n++) {
                    const char *ip = ips[n ? j : i];
                    int six = strchr(ip, ':') != NULL;
                    s[n] = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
                    setsockopt(s[n], SOL_SOCKET, SO_REUSEADDR, &set[n], 4);
                    setsockopt(s[n], SOL_SOCKET, SO_REUSEPORT, &set[2 + n], 4);
                    if (six) setsockopt(s[n], IPPROTO_IPV6, IPV6_V6ONLY, &set[4 + n], 4);
                    int port = n ? n_port(s[0]) : 0;
                    result[n] = six ? n_bind6(s[n], ip, port) : n_bind4(s[n], ip, port);
                    error = errno;
                }
                printf("%s | %s, reuse %d%d share %d%d only %d%d: %s\n", ips[i], ips[j], set[0], set[1], set[2], set[3], set[4], set[5],
                       result[1] ? t_name(error) : "ok");
                close(s[0]), close(s[1]);
            }
    return 0;
}
