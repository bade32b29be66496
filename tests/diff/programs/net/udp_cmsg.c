// Control messages of UDP: packet info, TTL, TOS both ways; wrong ones; room that is too small.
// diff: cpus=2
#include "net/n.h"
static void show(int s, size_t room) {
    char b[16], control[512];
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    ssize_t n = recvmsg(s, &m, MSG_DONTWAIT);
    printf("recvmsg, room %zu: %zd %s flags %#x control %zu\n", room, n, n < 0 ? t_name(errno) : "", m.msg_flags, (size_t)m.msg_controllen);
    if (n < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        printf("level %d type %d len %zu:", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        for (size_t i = 0; i < c->cmsg_len - sizeof *c && i < 28; i++) printf(" %02x", CMSG_DATA(c)[i]);
        printf("\n");
    }
}
static ssize_t with(int s, void *to, socklen_t len, int level, int type, const void *data, size_t size) {
    char control[128] = {0}, b[] = "x";
    struct iovec v = {b, 1};
    struct msghdr m = {.msg_name = to, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = level, c->cmsg_type = type, c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), data, size);
    return sendmsg(s, &m, 0);
}
int main(void) {
    int s = socket(AF_INET, SOCK_DGRAM, 0), r = socket(AF_INET, SOCK_DGRAM, 0), one = 1, v;
    n_bind4(r, "0.0.0.0", 0);
    struct sockaddr_in to = n_v4("127.0.0.1", n_port(r)), other = n_v4("127.0.0.9", n_port(r));
    sendto(s, "x", 1, 0, (void *)&to, 16); show(r, 512);
    setsockopt(r, IPPROTO_IP, IP_PKTINFO, &one, 4); setsockopt(r, IPPROTO_IP, IP_RECVTTL, &one, 4); setsockopt(r, IPPROTO_IP, IP_RECVTOS, &one, 4);
    sendto(s, "x", 1, 0, (void *)&other, 16); show(r, 512); sendto(s, "x", 1, 0, (void *)&to, 16); show(r, 40); sendto(s, "x", 1, 0, (void *)&to, 16); show(r, 20); sendto(s, "x", 1, 0, (void *)&to, 16); show(r, 8); sendto(s, "x", 1, 0, (void *)&to, 16); show(r, 0);
    v = 33; T(with(s, &to, 16, IPPROTO_IP, IP_TTL, &v, 4)); show(r, 512); v = 0; T(with(s, &to, 16, IPPROTO_IP, IP_TTL, &v, 4)); v = 256; T(with(s, &to, 16, IPPROTO_IP, IP_TTL, &v, 4)); v = 1; T(with(s, &to, 16, IPPROTO_IP, IP_TTL, &v, 1)); T(with(s, &to, 16, IPPROTO_IP, IP_TTL, &v, 8));
    v = 0x1c; T(with(s, &to, 16, IPPROTO_IP, IP_TOS, &v, 4)); show(r, 512); T(with(s, &to, 16, IPPROTO_IP, IP_TOS, &v, 1)); show(r, 512); v = 256; T(with(s, &to, 16, IPPROTO_IP, IP_TOS, &v, 4)); T(with(s, &to, 16, IPPROTO_IP, IP_TOS, &v, 2)); v = -1; T(with(s, &to, 16, IPPROTO_IP, IP_TOS, &v, 4));
    struct in_pktinfo info = {.ipi_spec_dst = {htonl(0x7f000005)}}; T(with(s, &to, 16, IPPROTO_IP, IP_PKTINFO, &info, sizeof info)); struct sockaddr_in from; socklen_t len = sizeof from; char b[4]; T(recvfrom(r, b, 4, MSG_DONTWAIT, (void *)&from, &len)); n_name("from", 0, (void *)&from, len, 0);
    info.ipi_ifindex = 1; T(with(s, &to, 16, IPPROTO_IP, IP_PKTINFO, &info, sizeof info)); info.ipi_ifindex = 77; T(with(s, &to, 16, IPPROTO_IP, IP_PKTINFO, &info, sizeof info)); T(with(s, &to, 16, IPPROTO_IP, IP_PKTINFO, &info, 8)); info.ipi_ifindex = 0; info.ipi_spec_dst.s_addr = htonl(0x01020304); T(with(s, &to, 16, IPPROTO_IP, IP_PKTINFO, &info, sizeof info));
    T(with(s, &to, 16, IPPROTO_IP, 77, &v, 4)); T(with(s, &to, 16, 99, 77, &v, 4)); T(with(s, &to, 16, SOL_SOCKET, 77, &v, 4)); T(with(s, &to, 16, SOL_SOCKET, SCM_RIGHTS, &(int){0}, 4)); T(with(s, &to, 16, IPPROTO_UDP, 77, &v, 2)); while (recv(r, b, 4, MSG_DONTWAIT) >= 0) {}
    int s6 = socket(AF_INET6, SOCK_DGRAM, 0), r6 = socket(AF_INET6, SOCK_DGRAM, 0); n_bind6(r6, "::", 0); struct sockaddr_in6 to6 = n_v6("::1", n_port(r6)), mapped = n_v6("::ffff:127.0.0.1", n_port(r6));
    setsockopt(r6, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, 4); setsockopt(r6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, 4); setsockopt(r6, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, 4); sendto(s6, "x", 1, 0, (void *)&to6, sizeof to6); show(r6, 512); sendto(s6, "x", 1, 0, (void *)&mapped, sizeof mapped); show(r6, 512);
    v = 7; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, 4)); show(r6, 512); v = 256; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, 4)); v = -1; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, 4)); show(r6, 512); v = -2; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, 4)); v = 9; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_TCLASS, &v, 4)); show(r6, 512); v = 256; T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_TCLASS, &v, 4)); T(with(s6, &to6, 28, IPPROTO_IPV6, IPV6_TCLASS, &v, 2)); T(with(s6, &to6, 28, IPPROTO_IPV6, 99, &v, 4)); show(r6, 512);
    return 0;
}
