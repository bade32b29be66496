// SOL_IPV6: every option's default, values out of range, wrong lengths, on TCP, UDP and raw sockets.
// diff: cpus=2
#include "net/n.h"
#define ALL(name) n_all(#name, name)
static int kinds[4];
static const char *names[] = {"tcp6", "udp6", "raw6", "udp"};
static void n_all(const char *what, int name) {
    int values[] = {-2, -1, 0, 1, 2, 5, 6, 16, 64, 255, 256, 1280, 65536};
    for (int i = 0; i < 4; i++) {
        printf("[%s] ", names[i]);
        n_get(what, kinds[i], IPPROTO_IPV6, name, 16);
        for (size_t n = 0; n < sizeof values / 4; n++) {
            printf("[%s] %d ", names[i], values[n]);
            n_set(what, kinds[i], IPPROTO_IPV6, name, values[n], 4);
            n_get(what, kinds[i], IPPROTO_IPV6, name, 4);
        }
        for (int len = 0; len < 8; len += 2) {
            printf("[%s] %d bytes ", names[i], len);
            n_set(what, kinds[i], IPPROTO_IPV6, name, 1, len);
            n_get(what, kinds[i], IPPROTO_IPV6, name, len);
        }
    }
}
int main(void) {
    kinds[0] = socket(AF_INET6, SOCK_STREAM, 0); kinds[1] = socket(AF_INET6, SOCK_DGRAM, 0);
    kinds[2] = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); kinds[3] = socket(AF_INET, SOCK_DGRAM, 0);
    ALL(IPV6_V6ONLY); ALL(IPV6_UNICAST_HOPS); ALL(IPV6_MULTICAST_HOPS); ALL(IPV6_MULTICAST_LOOP); ALL(IPV6_TCLASS); ALL(IPV6_RECVPKTINFO);
    ALL(IPV6_RECVHOPLIMIT); ALL(IPV6_RECVTCLASS); ALL(IPV6_RECVERR); ALL(IPV6_MTU_DISCOVER); ALL(IPV6_DONTFRAG); ALL(IPV6_AUTOFLOWLABEL);
    ALL(IPV6_FREEBIND); ALL(IPV6_MTU); ALL(IPV6_RECVRTHDR); ALL(IPV6_RECVHOPOPTS); ALL(IPV6_RECVDSTOPTS);
    ALL(IPV6_MULTICAST_ALL); ALL(IPV6_TRANSPARENT); ALL(IPV6_MINHOPCOUNT); ALL(IPV6_RECVORIGDSTADDR); ALL(IPV6_UNICAST_IF); ALL(250);
    return 0;
}
