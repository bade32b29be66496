// SOL_IP: every option's default, values out of range, wrong lengths, on TCP, UDP and raw sockets.
// diff: cpus=2
#include "net/n.h"
#define ALL(name) n_all(#name, name)
static int kinds[4];
static const char *names[] = {"tcp", "udp", "raw", "udp6"};
static void n_all(const char *what, int name) {
    int values[] = {-2, -1, 0, 1, 2, 3, 5, 6, 16, 63, 64, 255, 256, 65535, 65536};
    for (int i = 0; i < 4; i++) {
        printf("[%s] ", names[i]);
        n_get(what, kinds[i], IPPROTO_IP, name, 16);
        for (size_t n = 0; n < sizeof values / 4; n++) {
            printf("[%s] %d ", names[i], values[n]);
            n_set(what, kinds[i], IPPROTO_IP, name, values[n], 4);
            n_get(what, kinds[i], IPPROTO_IP, name, 4);
        }
        for (int len = 0; len < 8; len++) {
            printf("[%s] %d bytes ", names[i], len);
            n_set(what, kinds[i], IPPROTO_IP, name, 1, len);
            n_get(what, kinds[i], IPPROTO_IP, name, len);
        }
    }
}
int main(void) {
    kinds[0] = socket(AF_INET, SOCK_STREAM, 0); kinds[1] = socket(AF_INET, SOCK_DGRAM, 0); kinds[2] = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    kinds[3] = socket(AF_INET6, SOCK_DGRAM, 0);
    ALL(IP_TOS); ALL(IP_TTL); ALL(IP_MTU_DISCOVER); ALL(IP_RECVERR); ALL(IP_PKTINFO); ALL(IP_RECVTTL); ALL(IP_RECVTOS);
    ALL(IP_RECVORIGDSTADDR); ALL(IP_RECVOPTS); ALL(IP_RETOPTS); ALL(IP_FREEBIND); ALL(IP_MINTTL); ALL(IP_BIND_ADDRESS_NO_PORT);
    ALL(IP_MULTICAST_TTL); ALL(IP_MULTICAST_LOOP); ALL(IP_MULTICAST_ALL); ALL(IP_HDRINCL); ALL(IP_NODEFRAG); ALL(IP_MTU);
    ALL(IP_CHECKSUM); ALL(IP_PASSSEC); ALL(IP_TRANSPARENT); ALL(IP_UNICAST_IF); ALL(120);
    return 0;
}
