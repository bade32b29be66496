// UDP-Lite (RFC 3828): its own ports, coverage both ways, and everything that it has from UDP.
// diff: cpus=2
#include "net/n.h"
#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif
#define SEND_COVERAGE 10
#define RECEIVE_COVERAGE 11
static char b[64];
static int lite(void) { return socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE); }
static void get(const char *what, int s) {
    memset(b, 0, sizeof b);
    long n = recv(s, b, sizeof b, MSG_DONTWAIT);
    printf("%s: %ld %s [%s]\n", what, n, n < 0 ? t_name(errno) : "", n > 0 ? b : "");
}
int main(void) {
    int a = lite(), s = lite(), u = socket(AF_INET, SOCK_DGRAM, 0), v, one = 1;
    Z(lite()); T(socket(AF_INET, SOCK_STREAM, IPPROTO_UDPLITE)); T(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP)); T(socket(AF_INET, SOCK_SEQPACKET, IPPROTO_UDPLITE));
    GET(a, SOL_SOCKET, SO_TYPE); GET(a, SOL_SOCKET, SO_PROTOCOL); GET(a, SOL_SOCKET, SO_DOMAIN);
    // Ports are not those of UDP.
    T(n_bind4(s, "127.0.0.1", 0)); T(n_bind4(u, "127.0.0.1", n_port(s))); T(n_bind4(a, "127.0.0.1", n_port(s))); T(n_connect4(a, "127.0.0.1", n_port(s)));
    T(send(a, "lite", 4, 0)); get("lite", s); get("not UDP", u); T(send(a, "", 0, 0)); get("nothing", s); T(send(a, b, 65508, 0));
    struct sockaddr_in to = n_v4("127.0.0.1", n_port(s)), from; socklen_t len = sizeof from; T(sendto(u, "udp", 3, 0, (void *)&to, sizeof to)); get("UDP itself", u); get("not lite", s);
    T(send(a, "ab", 2, MSG_MORE)); T(send(a, "cd", 2, 0)); get("two in one", s); SET(a, IPPROTO_UDP, UDP_CORK, 1); GET(a, IPPROTO_UDPLITE, UDP_CORK); SET(a, IPPROTO_UDPLITE, UDP_CORK, 1); GET(a, IPPROTO_UDPLITE, UDP_CORK); T(send(a, "ef", 2, 0)); T(send(a, "gh", 2, 0)); get("corked", s); SET(a, IPPROTO_UDPLITE, UDP_CORK, 0); get("uncorked", s);
    // Coverage: 0 for all, 1 to 7 count as the header.
    int values[] = {-1, 0, 1, 7, 8, 20, 65535, 65536};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, values[i]); GET(a, IPPROTO_UDPLITE, SEND_COVERAGE);
        SET(a, IPPROTO_UDPLITE, RECEIVE_COVERAGE, values[i]); GET(a, IPPROTO_UDPLITE, RECEIVE_COVERAGE);
    }
    SETN(a, IPPROTO_UDPLITE, SEND_COVERAGE, 8, 2); GETN(a, IPPROTO_UDPLITE, SEND_COVERAGE, 2); GET(a, IPPROTO_UDP, SEND_COVERAGE); SET(u, IPPROTO_UDPLITE, SEND_COVERAGE, 8); SET(u, IPPROTO_UDP, SEND_COVERAGE, 8); GET(u, IPPROTO_UDP, SEND_COVERAGE); GET(u, IPPROTO_UDPLITE, SEND_COVERAGE); GET(a, IPPROTO_UDPLITE, 77); SET(a, IPPROTO_UDPLITE, 77, 1);
    // Who wants more covered than was does not get it; what is covered whole, all get.
    SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 8); T(send(a, "eight", 5, 0)); get("no least", s); SET(s, IPPROTO_UDPLITE, RECEIVE_COVERAGE, 10); T(send(a, "eight", 5, 0)); get("too little", s); SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 10); T(send(a, "tenten", 6, 0)); get("enough", s); SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 11); T(send(a, "more", 4, 0)); get("more", s); SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 0); T(send(a, "whole", 5, 0)); get("whole", s); SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 9); T(send(a, "x", 1, 0)); get("all of a short one", s); SET(s, IPPROTO_UDPLITE, RECEIVE_COVERAGE, 100); SET(a, IPPROTO_UDPLITE, SEND_COVERAGE, 50); T(send(a, "short", 5, 0)); get("shorter than its coverage", s); SET(s, IPPROTO_UDPLITE, RECEIVE_COVERAGE, 0);
    // What comes from UDP: names, control messages, errors, rows.
    setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, 4); T(sendto(a, "named", 5, 0, (void *)&to, sizeof to)); T(recvfrom(s, b, 64, 0, (void *)&from, &len)); n_name("from", 0, (void *)&from, len, 0); POLL(s); T(ioctl(s, FIONREAD, &v)); SET(a, IPPROTO_UDP, UDP_SEGMENT, 3); SET(a, IPPROTO_UDPLITE, UDP_SEGMENT, 3); GET(a, IPPROTO_UDPLITE, UDP_SEGMENT); T(send(a, "abcdefgh", 8, 0)); get("row", s); get("row", s); get("row", s); SET(a, IPPROTO_UDPLITE, UDP_SEGMENT, 0);
    close(s); T(send(a, "x", 1, 0)); T(send(a, "x", 1, 0)); T(send(a, "x", 1, 0)); GET(a, SOL_SOCKET, SO_ERROR); T(shutdown(a, SHUT_RDWR)); T(listen(a, 1)); T(accept(a, NULL, NULL)); T(send(a, "x", 1, MSG_OOB));
    int a6 = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE), s6 = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE); T(n_bind6(s6, "::1", 0)); T(n_connect6(a6, "::1", n_port(s6))); SET(a6, IPPROTO_UDPLITE, SEND_COVERAGE, 9); T(send(a6, "six", 3, 0)); get("six", s6);
    return 0;
}
