// sendmsg(2) and recvmsg(2): arguments of struct msghdr, in the order in which they are checked, on each kind of socket.
// diff: libc=glibc
#include "net/n.h"
static char b[64];
static struct iovec v = {b, 8}, many[1025];
static struct msghdr message(void) { return (struct msghdr){.msg_iov = &v, .msg_iovlen = 1}; }
static void both(const char *kind, int s, int r) {
    struct msghdr m;
    printf("-- %s\n", kind);
    v.iov_len = 2;
#define TRY(change, flags) do { m = message(); change; printf("%s: send ", #change); ssize_t n = sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL | flags); printf("%zd %s", n, n < 0 ? t_name(errno) : ""); \
    m = message(); change; n = recvmsg(r, &m, MSG_DONTWAIT); printf(", receive %zd %s, name %d control %zu flags %#x\n", n, n < 0 ? t_name(errno) : "", (int)m.msg_namelen, (size_t)m.msg_controllen, n < 0 ? 0 : m.msg_flags); } while (0)
    TRY(, 0); TRY(m.msg_flags = -1, 0); TRY(m.msg_iovlen = 0, 0); TRY(m.msg_iov = NULL, 0); TRY((m.msg_iov = NULL, m.msg_iovlen = 0), 0); TRY(m.msg_iov = BAD, 0); TRY((m.msg_iov = many, m.msg_iovlen = 1024), 0); TRY((m.msg_iov = many, m.msg_iovlen = 1025), 0);
    TRY((m.msg_iov = many, m.msg_iovlen = -1), 0); TRY((m.msg_iov = BAD, m.msg_iovlen = 1025), 0); TRY((v.iov_base = BAD), 0); v.iov_base = b; TRY((v.iov_len = -1), 0); TRY((v.iov_base = BAD, v.iov_len = 0), 0); v = (struct iovec){b, 2};
    TRY(m.msg_namelen = -1, 0); TRY((m.msg_name = b, m.msg_namelen = -1), 0); TRY(m.msg_namelen = 5, 0); TRY((m.msg_name = BAD, m.msg_namelen = 0), 0); TRY((m.msg_name = BAD, m.msg_namelen = 16), 0); while (recv(r, b, 64, MSG_DONTWAIT) > 0) {}
    TRY(m.msg_controllen = 5, 0); TRY(m.msg_controllen = -1, 0); TRY((m.msg_control = b, m.msg_controllen = 0), 0); TRY((m.msg_control = BAD, m.msg_controllen = 0), 0); TRY((m.msg_control = BAD, m.msg_controllen = 64), 0); while (recv(r, b, 64, MSG_DONTWAIT) > 0) {}
    TRY((m.msg_control = b, m.msg_controllen = 5), 0); TRY((memset(b, 0, 64), m.msg_control = b, m.msg_controllen = 16), 0); TRY((memset(b, 0, 64), *(size_t *)b = 15, m.msg_control = b, m.msg_controllen = 32), 0); TRY((memset(b, 0, 64), *(size_t *)b = 33, m.msg_control = b, m.msg_controllen = 32), 0); TRY((memset(b, 0, 64), *(size_t *)b = 16, m.msg_control = b, m.msg_controllen = 32), 0);
    TRY((memset(b, 0, 64), *(size_t *)b = 16, ((int *)b)[2] = SOL_SOCKET, m.msg_control = b, m.msg_controllen = 16), 0); TRY((memset(b, 0, 64), *(size_t *)b = 16, ((int *)b)[2] = SOL_SOCKET, ((int *)b)[3] = 99, m.msg_control = b, m.msg_controllen = 16), 0); TRY((m.msg_control = b, m.msg_controllen = 1ul << 40), 0); while (recv(r, b, 64, MSG_DONTWAIT) > 0) {}
    T(sendmsg(s, NULL, 0)); T(sendmsg(s, BAD, 0)); T(recvmsg(r, NULL, MSG_DONTWAIT)); T(recvmsg(r, BAD, MSG_DONTWAIT)); m = message(); T(sendmsg(s, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)); T(recvmsg(r, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)); N(m.msg_flags); T(sendmsg(s, &m, MSG_DONTWAIT)); T(recvmsg(r, &m, 0x80000000 | MSG_DONTWAIT)); while (recv(r, b, 64, MSG_DONTWAIT) > 0) {}
}
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 1025; i++) many[i] = (struct iovec){b, i == 0 ? 2 : 0};
    int p[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, p); both("unix stream", p[0], p[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, p); both("unix datagram", p[0], p[1]);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p); both("unix packet", p[0], p[1]);
    n_pair(p); both("tcp", p[0], p[1]);
    n_udp_pair(p); both("udp", p[0], p[1]);
    struct msghdr m = message(); int file = open("/dev/null", O_RDWR);
    T(sendmsg(-1, &m, 0)); T(sendmsg(-1, BAD, 0)); T(sendmsg(file, BAD, 0)); T(recvmsg(-1, BAD, 0)); T(recvmsg(file, BAD, 0)); T(sendmsg(file, &m, 0)); T(recvmsg(file, &m, 0));
    T(sendto(file, b, 1, 0, NULL, 0)); T(recvfrom(file, b, 1, 0, NULL, NULL)); T(send(-1, BAD, 1, 0)); T(recv(-1, BAD, 1, 0)); T(sendto(p[0], BAD, 1, 0, BAD, 16)); T(sendto(p[0], b, -1, 0, NULL, 0)); T(recvfrom(p[1], b, 1, MSG_DONTWAIT, (void *)b, NULL)); T(recvfrom(p[1], b, 1, MSG_DONTWAIT, (void *)b, BAD));
    T(syscall(SYS_sendmmsg, p[0], NULL, 1, 0)); T(syscall(SYS_sendmmsg, p[0], BAD, 1, 0)); T(syscall(SYS_sendmmsg, p[0], NULL, 0, 0)); T(syscall(SYS_sendmmsg, -1, NULL, 0, 0)); T(syscall(SYS_recvmmsg, p[1], NULL, 1, MSG_DONTWAIT, NULL)); T(syscall(SYS_recvmmsg, p[1], NULL, 0, 0, NULL)); T(syscall(SYS_recvmmsg, -1, NULL, 0, 0, NULL)); T(syscall(SYS_recvmmsg, p[1], NULL, 0, 0, BAD));
    struct timespec odd = {0, 1000000000}, minus = {-1, 0}; T(syscall(SYS_recvmmsg, p[1], NULL, 0, 0, &odd)); T(syscall(SYS_recvmmsg, p[1], NULL, 0, 0, &minus));
    return 0;
}
