// UDP_CORK and MSG_MORE: one datagram of several calls, its length, its destination, errors on the way.
// diff: cpus=2
#include "net/n.h"
static char b[70000];
int main(void) {
    int e[2], other = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
    n_udp_pair(e); n_bind4(other, "127.0.0.1", 0);
    struct sockaddr_in one = n_v4("127.0.0.1", n_port(e[1])), two = n_v4("127.0.0.1", n_port(other)), port0 = n_v4("127.0.0.1", 0);
    GET(e[0], IPPROTO_UDP, UDP_CORK); SET(e[0], IPPROTO_UDP, UDP_CORK, 5); GET(e[0], IPPROTO_UDP, UDP_CORK); SETN(e[0], IPPROTO_UDP, UDP_CORK, 1, 3); GETN(e[0], IPPROTO_UDP, UDP_CORK, 2);
    T(send(e[0], "one ", 4, 0)); T(send(e[0], "two ", 4, 0)); T(recv(e[1], b, 99, MSG_DONTWAIT)); T(send(e[0], "", 0, 0)); SET(e[0], IPPROTO_UDP, UDP_CORK, 0); memset(b, 0, 99); T(recv(e[1], b, 99, MSG_DONTWAIT)); S(b); T(recv(e[1], b, 99, MSG_DONTWAIT)); SET(e[0], IPPROTO_UDP, UDP_CORK, 0);
    T(send(e[0], "a", 1, MSG_MORE)); T(send(e[0], "b", 1, MSG_MORE)); T(recv(e[1], b, 99, MSG_DONTWAIT)); T(send(e[0], "c", 1, 0)); memset(b, 0, 99); T(recv(e[1], b, 99, MSG_DONTWAIT)); S(b);
    T(sendto(s, "to one ", 7, MSG_MORE, (void *)&one, 16)); T(sendto(s, "to two", 6, 0, (void *)&two, 16)); memset(b, 0, 99); T(recv(e[1], b, 99, MSG_DONTWAIT)); S(b); T(recv(other, b, 99, MSG_DONTWAIT));
    T(sendto(s, "x", 1, MSG_MORE, (void *)&one, 16)); T(sendto(s, "y", 1, 0, (void *)&port0, 16)); memset(b, 0, 99); T(recv(e[1], b, 99, MSG_DONTWAIT)); S(b); T(sendto(s, "x", 1, MSG_MORE, (void *)&port0, 16)); T(send(s, "x", 1, MSG_MORE)); T(sendto(s, "x", 1, MSG_MORE, (void *)&one, 16)); T(send(s, "z", 1, 0)); memset(b, 0, 99); T(recv(e[1], b, 99, MSG_DONTWAIT)); S(b);
    T(send(e[0], b, 60000, MSG_MORE)); T(send(e[0], b, 6000, 0)); T(recv(e[1], b, 70000, MSG_DONTWAIT)); T(send(e[0], "after", 5, 0)); T(recv(e[1], b, 70000, MSG_DONTWAIT));
    T(send(e[0], "x", 1, MSG_MORE)); T(send(e[0], b, 65536, MSG_MORE)); T(send(e[0], "y", 1, MSG_OOB)); T(send(e[0], "z", 1, 0)); T(recv(e[1], b, 99, MSG_DONTWAIT));
    T(send(e[0], "x", 1, MSG_MORE)); close(e[0]); T(recv(e[1], b, 99, MSG_DONTWAIT));
    return 0;
}
