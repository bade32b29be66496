// socket(2) and socketpair(2): families, types and protocols, in the order in which Linux checks them.
// diff: cpus=2
#include "net/n.h"
#define TRY(family, type, protocol) n_try(#family " " #type " " #protocol, family, type, protocol)
static void n_try(const char *what, int family, int type, int protocol) {
    int s = socket(family, type, protocol);
    printf("%s: %s\n", what, s < 0 ? t_name(errno) : "ok");
    if (s >= 0) {
        GET(s, SOL_SOCKET, SO_TYPE); GET(s, SOL_SOCKET, SO_DOMAIN); GET(s, SOL_SOCKET, SO_PROTOCOL);
        close(s);
    }
}
int main(void) {
    TRY(AF_INET, SOCK_STREAM, 0); TRY(AF_INET, SOCK_STREAM, IPPROTO_TCP); TRY(AF_INET, SOCK_STREAM, IPPROTO_UDP);
    TRY(AF_INET, SOCK_DGRAM, 0); TRY(AF_INET, SOCK_DGRAM, IPPROTO_UDP); TRY(AF_INET, SOCK_DGRAM, IPPROTO_TCP);
    TRY(AF_INET, SOCK_RAW, 0); TRY(AF_INET, SOCK_RAW, IPPROTO_RAW); TRY(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    TRY(AF_INET, SOCK_RAW, IPPROTO_UDP); TRY(AF_INET, SOCK_RAW, IPPROTO_TCP); TRY(AF_INET, SOCK_RAW, 255);
    TRY(AF_INET, SOCK_STREAM, -1); TRY(AF_INET, SOCK_STREAM, 263);
    TRY(AF_INET, SOCK_SEQPACKET, 0); TRY(AF_INET, SOCK_RDM, 0); TRY(AF_INET, 0, 0);
    TRY(AF_INET, 7, 0); TRY(AF_INET, 8, 0); TRY(AF_INET, 15, 0); TRY(AF_INET, 16, 0); TRY(AF_INET, 99, 0); TRY(AF_INET, -1, 0);
    TRY(AF_INET6, SOCK_STREAM, 0); TRY(AF_INET6, SOCK_DGRAM, 0); TRY(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    TRY(AF_INET6, SOCK_RAW, 0); TRY(AF_INET6, SOCK_STREAM, IPPROTO_UDP); TRY(AF_INET6, SOCK_SEQPACKET, 0);
    TRY(AF_UNIX, SOCK_STREAM, 0); TRY(AF_UNIX, SOCK_DGRAM, 0); TRY(AF_UNIX, SOCK_SEQPACKET, 0); TRY(AF_UNIX, SOCK_RAW, 0);
    TRY(AF_UNIX, SOCK_STREAM, 1); TRY(AF_UNIX, SOCK_STREAM, 2); TRY(AF_UNIX, SOCK_RDM, 0); TRY(AF_UNIX, 0, 0); TRY(AF_UNIX, 7, 0);
    TRY(AF_UNSPEC, SOCK_STREAM, 0); TRY(AF_UNSPEC, 99, 0); TRY(46, SOCK_STREAM, 0); TRY(-1, SOCK_STREAM, 0); TRY(47, 99, 0);
    TRY(AF_PACKET, SOCK_RAW, 0); TRY(AF_PACKET, SOCK_DGRAM, 0x300); TRY(AF_PACKET, SOCK_STREAM, 0);
    TRY(AF_NETLINK, SOCK_RAW, 0); TRY(AF_NETLINK, SOCK_DGRAM, 0); TRY(AF_NETLINK, SOCK_STREAM, 0); TRY(AF_NETLINK, SOCK_RAW, 99);
    TRY(AF_NETLINK, SOCK_RAW, -1); TRY(AF_NETLINK, SOCK_RAW, 32);
    int p[2];
    T(socketpair(AF_INET, SOCK_STREAM, 0, p)); T(socketpair(AF_INET6, SOCK_DGRAM, 0, p)); T(socketpair(AF_INET, 99, 0, p));
    T(socketpair(AF_INET, SOCK_STREAM, 99, p)); T(socketpair(AF_UNIX, SOCK_STREAM, 2, p)); T(socketpair(AF_UNIX, SOCK_RDM, 0, p));
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD)); T(socketpair(99, SOCK_STREAM, 0, p)); T(socketpair(AF_NETLINK, SOCK_RAW, 0, p));
    T(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p));
    T(fcntl(p[0], F_GETFD)); T(fcntl(p[1], F_GETFL));
    T(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, p));
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    T(fcntl(s, F_GETFL)); T(fcntl(s, F_GETFD));
    T(lseek(s, 0, SEEK_SET)); T(pread(s, p, 1, 0)); T(ftruncate(s, 0)); T(fsync(s));
    struct stat st;
    T(fstat(s, &st)); N(st.st_mode); N(st.st_size); N(st.st_nlink);
    return 0;
}
