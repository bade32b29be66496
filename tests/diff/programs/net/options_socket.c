// SOL_SOCKET: every option's default, values out of range, wrong lengths, on sockets of each kind.
// diff: cpus=2
#include "net/n.h"
#define ALL(name) n_all(#name, name)
static int kinds[6];
static const char *names[] = {"tcp", "udp", "tcp6", "unix stream", "unix dgram", "raw"};
static void n_all(const char *what, int name) {
    for (int i = 0; i < 6; i++) {
        printf("[%s] ", names[i]);
        n_get(what, kinds[i], SOL_SOCKET, name, 16);
        // How much may wait for a reader depends on the machine's settings.
        for (int value = name == SO_RCVLOWAT ? 0 : -1; value <= 2; value++) {
            printf("[%s] %d ", names[i], value);
            n_set(what, kinds[i], SOL_SOCKET, name, value, 4);
            printf("[%s] ", names[i]);
            n_get(what, kinds[i], SOL_SOCKET, name, 4);
        }
        printf("[%s] 3 bytes ", names[i]); n_set(what, kinds[i], SOL_SOCKET, name, 1, 3);
        printf("[%s] 0 bytes ", names[i]); n_set(what, kinds[i], SOL_SOCKET, name, 1, 0);
        printf("[%s] 8 bytes ", names[i]); n_set(what, kinds[i], SOL_SOCKET, name, 0, 8);
        printf("[%s] in 2 bytes ", names[i]); n_get(what, kinds[i], SOL_SOCKET, name, 2);
        printf("[%s] in 0 bytes ", names[i]); n_get(what, kinds[i], SOL_SOCKET, name, 0);
        printf("[%s] in -1 bytes ", names[i]); n_get(what, kinds[i], SOL_SOCKET, name, -1);
    }
}
int main(void) {
    kinds[0] = socket(AF_INET, SOCK_STREAM, 0); kinds[1] = socket(AF_INET, SOCK_DGRAM, 0); kinds[2] = socket(AF_INET6, SOCK_STREAM, 0);
    kinds[3] = socket(AF_UNIX, SOCK_STREAM, 0); kinds[4] = socket(AF_UNIX, SOCK_DGRAM, 0); kinds[5] = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    ALL(SO_REUSEADDR); ALL(SO_REUSEPORT); ALL(SO_KEEPALIVE); ALL(SO_BROADCAST); ALL(SO_DONTROUTE); ALL(SO_OOBINLINE); ALL(SO_DEBUG);
    ALL(SO_PASSCRED); ALL(SO_TYPE); ALL(SO_ERROR); ALL(SO_ACCEPTCONN); ALL(SO_DOMAIN); ALL(SO_PROTOCOL); ALL(SO_PRIORITY);
    ALL(SO_RCVLOWAT); ALL(SO_SNDLOWAT); ALL(SO_TIMESTAMP); ALL(SO_TIMESTAMPNS); ALL(SO_NO_CHECK); ALL(SO_RXQ_OVFL);
    ALL(SO_ZEROCOPY); ALL(SO_PASSSEC); ALL(SO_SELECT_ERR_QUEUE); ALL(SO_MARK); ALL(SO_INCOMING_CPU);
    ALL(SO_BINDTOIFINDEX); ALL(SO_BUSY_POLL); ALL(SO_WIFI_STATUS); ALL(SO_NOFCS); ALL(SO_MAX_PACING_RATE);
    ALL(SO_TXTIME); ALL(0); ALL(1000); ALL(-1);
    for (int i = 0; i < 6; i++) {
        printf("%s\n", names[i]);
        GETN(kinds[i], SOL_SOCKET, SO_LINGER, 16); GETN(kinds[i], SOL_SOCKET, SO_LINGER, 4); GETN(kinds[i], SOL_SOCKET, SO_RCVTIMEO, 64);
        GETN(kinds[i], SOL_SOCKET, SO_SNDTIMEO, 8); GETN(kinds[i], SOL_SOCKET, SO_PEERCRED, 12); GETN(kinds[i], SOL_SOCKET, SO_PEERNAME, 64);
        SETN(kinds[i], SOL_SOCKET, SO_LINGER, 1, 4); SETN(kinds[i], SOL_SOCKET, SO_RCVTIMEO, 1, 4); SETN(kinds[i], SOL_SOCKET, SO_RCVTIMEO, 1, 15);
        GETN(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, 16); GETN(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, 4);
        T(setsockopt(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)); GETN(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, 16);
        GETN(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, 4); GET(kinds[i], SOL_SOCKET, SO_BINDTOIFINDEX);
        T(setsockopt(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, "nonesuch0", 10)); T(setsockopt(kinds[i], SOL_SOCKET, SO_BINDTODEVICE, "", 0));
        T(setsockopt(kinds[i], SOL_SOCKET, SO_REUSEADDR, BAD, 4)); T(setsockopt(kinds[i], SOL_SOCKET, SO_REUSEADDR, NULL, 4));
        T(setsockopt(kinds[i], SOL_SOCKET, SO_REUSEADDR, &i, -1)); T(setsockopt(kinds[i], SOL_SOCKET, SO_TYPE, BAD, 4));
        socklen_t len = 4;
        T(getsockopt(kinds[i], SOL_SOCKET, SO_REUSEADDR, BAD, &len)); T(getsockopt(kinds[i], SOL_SOCKET, SO_REUSEADDR, &i, BAD));
    }
    return 0;
}
