// ioctl(2) of sockets: interfaces (netdevice(7)), FIONREAD, FIONBIO, SIOCATMARK, what is none of theirs.
// diff: libc=glibc
#include "net/n.h"
#include <net/if.h>
#include <linux/sockios.h>
#define ASK(request) n_ask(#request, request)
static int s;
static struct ifreq r;
static int n_ask(const char *what, unsigned long request) {
    memset(&r, 0, sizeof r), strcpy(r.ifr_name, "lo");
    int result = ioctl(s, request, &r);
    printf("%s of lo: %s\n", what, result ? t_name(errno) : "ok");
    return result;
}
int main(void) {
    static const int kinds[][3] = {{AF_INET, SOCK_DGRAM, 0}, {AF_INET6, SOCK_STREAM, 0}, {AF_UNIX, SOCK_STREAM, 0}};
    for (int i = 0; i < 3; i++) {
        N(i); s = socket(kinds[i][0], kinds[i][1], 0);
        ASK(SIOCGIFFLAGS); N(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)); ASK(SIOCGIFINDEX); N(r.ifr_ifindex); ASK(SIOCGIFMTU); N(r.ifr_mtu); ASK(SIOCGIFHWADDR); N(r.ifr_hwaddr.sa_family); ASK(SIOCGIFMETRIC); N(r.ifr_metric);
        if (kinds[i][0] == AF_INET) {
            ASK(SIOCGIFADDR); N(r.ifr_addr.sa_family); C(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK)); ASK(SIOCGIFNETMASK); C(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(0xff000000));
        }
        memset(&r, 0, sizeof r); r.ifr_ifindex = 1; T(ioctl(s, SIOCGIFNAME, &r)); S(r.ifr_name); r.ifr_ifindex = 9999; T(ioctl(s, SIOCGIFNAME, &r)); strcpy(r.ifr_name, "nonesuch0"); T(ioctl(s, SIOCGIFINDEX, &r)); T(ioctl(s, SIOCGIFFLAGS, &r)); T(ioctl(s, SIOCGIFFLAGS, BAD)); T(ioctl(s, SIOCGIFINDEX, NULL)); strcpy(r.ifr_name, ""); T(ioctl(s, SIOCGIFINDEX, &r));
        T(ioctl(s, 0x8999, &r)); T(ioctl(s, 0x1234, &r)); T(ioctl(s, TCGETS, &r));
        int on = 1; T(ioctl(s, FIONBIO, &on)); C(fcntl(s, F_GETFL) & O_NONBLOCK); on = 0; T(ioctl(s, FIONBIO, &on)); C(fcntl(s, F_GETFL) & O_NONBLOCK); T(ioctl(s, FIONBIO, BAD)); T(ioctl(s, FIOCLEX)); T(fcntl(s, F_GETFD)); T(ioctl(s, FIONCLEX)); T(fcntl(s, F_GETFD)); 
        struct ifconf c = {.ifc_len = 0, .ifc_buf = NULL}; if (kinds[i][0] == AF_INET) { T(ioctl(s, SIOCGIFCONF, &c)); C(c.ifc_len >= (int)sizeof r && c.ifc_len % sizeof r == 0); char room[4 * sizeof r]; c = (struct ifconf){.ifc_len = sizeof r, .ifc_buf = room}; T(ioctl(s, SIOCGIFCONF, &c)); N(c.ifc_len == sizeof r); S(c.ifc_req[0].ifr_name); c = (struct ifconf){.ifc_len = 3, .ifc_buf = room}; T(ioctl(s, SIOCGIFCONF, &c)); N(c.ifc_len); T(ioctl(s, SIOCGIFCONF, BAD)); }
        close(s);
    }
    int e[2], n = -1, file = open("/dev/null", O_RDWR); T(ioctl(file, SIOCGIFINDEX, &r)); T(ioctl(file, FIONREAD, &n)); T(ioctl(-1, SIOCGIFINDEX, &r));
    n_udp_pair(e); T(ioctl(e[1], SIOCINQ, &n)); N(n); T(send(e[0], "12345", 5, 0)); T(send(e[0], "678", 3, 0)); n_await(e[1], POLLIN); T(ioctl(e[1], SIOCINQ, &n)); N(n); T(ioctl(e[1], SIOCATMARK, &n)); T(ioctl(e[0], SIOCOUTQ, &n)); N(n); T(ioctl(e[1], FIONREAD, BAD));
    socketpair(AF_UNIX, SOCK_STREAM, 0, e); T(send(e[0], "12345", 5, 0)); T(ioctl(e[1], SIOCINQ, &n)); N(n); T(ioctl(e[1], SIOCATMARK, &n)); N(n); struct sockaddr_un a = {AF_UNIX, "\0rkt-sioc"}; int l = socket(AF_UNIX, SOCK_STREAM, 0); bind(l, (void *)&a, 11); listen(l, 1); T(ioctl(l, SIOCINQ, &n)); T(ioctl(l, SIOCOUTQ, &n));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, e); T(send(e[0], "12345", 5, 0)); T(send(e[0], "678", 3, 0)); T(ioctl(e[1], SIOCINQ, &n)); N(n); socketpair(AF_UNIX, SOCK_SEQPACKET, 0, e); T(send(e[0], "12345", 5, 0)); T(send(e[0], "678", 3, 0)); T(ioctl(e[1], SIOCINQ, &n)); N(n);
    return 0;
}
