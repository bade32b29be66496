// Dual-stack rules: mapped addresses, IPV6_V6ONLY, connecting across, the names that are shown.
// diff: cpus=2
#include "net/n.h"
int main(void) {
    int l = socket(AF_INET6, SOCK_STREAM, 0); T(n_bind6(l, "::", 0)); T(listen(l, 5)); int port = n_port(l); SOCKNAME(l);
    int c = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(c, "127.0.0.1", port)); int s = accept(l, NULL, NULL); SOCKNAME(s); PEERNAME(s); SOCKNAME(c); PEERNAME(c); GET(s, IPPROTO_IPV6, IPV6_V6ONLY);
    close(c), close(s);
    c = socket(AF_INET6, SOCK_STREAM, 0); T(n_connect6(c, "::ffff:127.0.0.1", port)); s = accept(l, NULL, NULL); SOCKNAME(s); PEERNAME(s); SOCKNAME(c); PEERNAME(c); SET(c, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    struct sockaddr_storage a; socklen_t len = sizeof a; close(c), close(s);
    c = socket(AF_INET6, SOCK_STREAM, 0); T(n_connect6(c, "::", port)); s = accept(l, NULL, NULL); SOCKNAME(s); PEERNAME(s); close(c), close(s);
    c = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(c, "0.0.0.0", port)); s = accept(l, NULL, NULL); SOCKNAME(s); PEERNAME(s); PEERNAME(c); close(c), close(s);
    c = socket(AF_INET6, SOCK_STREAM, 0); T(n_bind6(c, "::1", 0)); T(n_connect6(c, "::ffff:127.0.0.1", port)); close(c);
    c = socket(AF_INET6, SOCK_STREAM, 0); T(n_bind6(c, "::ffff:127.0.0.1", 0)); T(n_connect6(c, "::1", port)); close(c);
    c = socket(AF_INET6, SOCK_STREAM, 0); SET(c, IPPROTO_IPV6, IPV6_V6ONLY, 1); T(n_connect6(c, "::ffff:127.0.0.1", port)); T(n_bind6(c, "::ffff:127.0.0.1", 0)); close(c);
    c = socket(AF_INET6, SOCK_STREAM, 0); T(n_connect4(c, "127.0.0.1", port)); close(c);
    close(l); l = socket(AF_INET6, SOCK_STREAM, 0); SET(l, IPPROTO_IPV6, IPV6_V6ONLY, 1); T(n_bind6(l, "::", 0)); T(listen(l, 5)); port = n_port(l); SET(l, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    c = socket(AF_INET, SOCK_STREAM, 0); T(n_connect4(c, "127.0.0.1", port)); close(c); c = socket(AF_INET6, SOCK_STREAM, 0); T(n_connect6(c, "::1", port)); close(c);
    int u = socket(AF_INET6, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0); T(n_bind6(u, "::", 0)); T(n_bind4(v, "127.0.0.1", 0));
    struct sockaddr_in6 to = n_v6("::ffff:127.0.0.1", n_port(v)); T(sendto(u, "hi", 2, 0, (void *)&to, sizeof to)); char b[8]; len = sizeof a; T(recvfrom(v, b, 8, 0, (void *)&a, &len)); C(((struct sockaddr_in *)&a)->sin_port == htons(n_port(u))); N(a.ss_family);
    struct sockaddr_in back = n_v4("127.0.0.1", n_port(u)); T(sendto(v, "ho", 2, 0, (void *)&back, sizeof back)); len = sizeof a; T(recvfrom(u, b, 8, 0, (void *)&a, &len)); N(len); N(a.ss_family); n_name("from", 0, (void *)&a, len, 0);
    T(sendto(u, "hi", 2, 0, (void *)&back, sizeof back)); T(sendto(v, "hi", 2, 0, (void *)&to, sizeof to)); SET(u, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    int w = socket(AF_INET6, SOCK_DGRAM, 0); SET(w, IPPROTO_IPV6, IPV6_V6ONLY, 1); T(sendto(w, "hi", 2, 0, (void *)&to, sizeof to)); T(n_connect6(w, "::ffff:127.0.0.1", 9));
    return 0;
}
