// MSG_ERRQUEUE: what IP_RECVERR and IPV6_RECVERR give of a refused datagram.
// diff: cpus=2; libc=glibc
#include "net/n.h"
#include <linux/errqueue.h>
static void drain(int s) {
    char b[64] = "", control[512];
    struct sockaddr_storage from;
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(s, &m, MSG_ERRQUEUE);
    printf("errqueue: %zd %s flags %#x name %u [%s]\n", n, n < 0 ? t_name(errno) : "", m.msg_flags, n < 0 ? 0 : m.msg_namelen, b);
    if (n < 0) return;
    n_name("to", 0, (void *)&from, m.msg_namelen, 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct sock_extended_err *e = (void *)CMSG_DATA(c);
        printf("level %d type %d len %zu\n", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        if (c->cmsg_type != IP_RECVERR && c->cmsg_type != IPV6_RECVERR) continue;
        printf("%s origin %d type %d code %d info %u data %u\n", t_name(e->ee_errno), e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data);
        n_name("offender", 0, SO_EE_OFFENDER(e), 0, 1);
    }
}
int main(void) {
    for (int six = 0; six < 2; six++) {
        N(six);
        int s = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), d = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), one = 1;
        T(six ? n_bind6(d, "::1", 0) : n_bind4(d, "127.0.0.1", 0)); int port = n_port(d); close(d);
        drain(s);
        T(setsockopt(s, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &one, 4));
        struct sockaddr_in6 to6 = n_v6("::1", port); struct sockaddr_in to4 = n_v4("127.0.0.1", port);
        T(sendto(s, "payload", 7, 0, six ? (void *)&to6 : (void *)&to4, six ? sizeof to6 : sizeof to4)); n_await(s, POLLERR); POLL(s);
        T(sendto(s, "second", 6, 0, six ? (void *)&to6 : (void *)&to4, six ? sizeof to6 : sizeof to4)); char b[4]; T(recv(s, b, 4, MSG_DONTWAIT)); drain(s); POLL(s); drain(s); POLL(s); GET(s, SOL_SOCKET, SO_ERROR);
        T(six ? n_connect6(s, "::1", port) : n_connect4(s, "127.0.0.1", port)); T(send(s, "connected", 9, 0)); n_await(s, POLLERR); GET(s, SOL_SOCKET, SO_ERROR); POLL(s); drain(s); POLL(s);
        T(send(s, "again", 5, 0)); n_await(s, POLLERR); T(setsockopt(s, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &(int){0}, 4)); drain(s); POLL(s);
        close(s);
    }
    return 0;
}
