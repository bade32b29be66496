// SO_BINDTODEVICE: names, listeners and datagram sockets bound to the loopback, ports shared by interface.
// diff: cpus=2
#include "net/n.h"
#include <net/if.h>
static void to(int s, const char *name, socklen_t len) {
    int result = setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, len);
    char back[32] = "?";
    socklen_t size = sizeof back;
    int got = getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, back, &size);
    printf("to [%s] of %u: %s, then [%s] of %u %s\n", name ? name : "", len, result ? t_name(errno) : "ok", got ? "" : size ? back : "", size, got ? t_name(errno) : "");
}
int main(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0), l = socket(AF_INET, SOCK_STREAM, 0), c, a;
    to(s, "lo", 3); to(s, "lo", 2); to(s, "lo\0junk", 7); to(s, "l", 1); to(s, "nosuchdevice", 12); to(s, "averyveryverylongname", 21); to(s, "", 0); to(s, "", 1); to(s, "lo", 16); T(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, NULL, 3)); T(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, BAD, 3));
    int index = 0; socklen_t len = 4; T(getsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len)); C(index == (int)if_nametoindex("lo"));
    // A listener there.
    to(l, "lo", 3); T(n_bind4(l, "127.0.0.1", 0)); T(listen(l, 5)); c = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(c, "127.0.0.1", n_port(l))); a = accept(l, NULL, NULL); C(a >= 0); char back[32] = ""; len = 32; T(getsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, back, &len)); S(back); len = 32; T(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, back, &len)); N(len); T(send(c, "x", 1, 0)); T(recv(a, back, 8, 0)); to(a, "", 0); T(send(a, "y", 1, 0)); T(recv(c, back, 8, 0));
    // Wildcards: one of the loopback, and one of all.
    int w[3]; for (int i = 0; i < 3; i++) w[i] = socket(AF_INET, SOCK_STREAM, 0); to(w[0], "lo", 3); T(n_bind4(w[0], "0.0.0.0", 0)); T(n_bind4(w[1], "0.0.0.0", n_port(w[0]))); to(w[2], "lo", 3); T(n_bind4(w[2], "0.0.0.0", n_port(w[0])));
    // Datagrams: who is bound to the interface is preferred, and hears what comes by it.
    int u[3]; for (int i = 0; i < 3; i++) { u[i] = socket(AF_INET, SOCK_DGRAM, 0); int one = 1; setsockopt(u[i], SOL_SOCKET, SO_REUSEADDR, &one, 4); }
    T(n_bind4(u[0], "0.0.0.0", 0)); to(u[1], "lo", 3); T(n_bind4(u[1], "0.0.0.0", n_port(u[0]))); struct sockaddr_in there = n_v4("127.0.0.1", n_port(u[0])); T(sendto(u[2], "one", 3, 0, (void *)&there, sizeof there)); T(recv(u[0], back, 8, MSG_DONTWAIT)); T(recv(u[1], back, 8, MSG_DONTWAIT)); to(u[1], "", 0); T(sendto(u[2], "two", 3, 0, (void *)&there, sizeof there)); to(u[2], "lo", 3); T(sendto(u[2], "six", 3, 0, (void *)&there, sizeof there));
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), x = socket(AF_UNIX, SOCK_STREAM, 0); to(raw, "lo", 3); to(x, "lo", 3);
    return 0;
}
