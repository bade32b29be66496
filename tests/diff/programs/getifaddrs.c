// getifaddrs, if_nameindex and netlink itself, as far as they concern the loopback, which is everywhere the same.
#include "t.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
// musl comes without the kernel's headers: there it is getifaddrs alone.
#if __has_include(<linux/rtnetlink.h>)
#include <linux/rtnetlink.h>
#define HAVE_NETLINK
#endif

static void names(void) {
    struct ifaddrs *all = NULL;
    T(getifaddrs(&all));
    for (struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (strcmp(a->ifa_name, "lo") != 0 || !a->ifa_addr || a->ifa_addr->sa_family != AF_INET) continue;
        struct sockaddr_in *ip = (void *)a->ifa_addr, *mask = (void *)a->ifa_netmask;
        S(inet_ntoa(ip->sin_addr));
        S(inet_ntoa(mask->sin_addr));
        C(a->ifa_flags & IFF_LOOPBACK);
    }
    freeifaddrs(all);
    T(if_nametoindex("lo"));
    T(if_nametoindex("nothing") == 0 ? -1 : 0);
}

#ifdef HAVE_NETLINK
static void answer(int s, const char *what) {
    union { struct nlmsghdr h; char b[8192]; } u;
    struct sockaddr_nl from = {0};
    socklen_t len = sizeof from;
    puts(what);
    long n = recvfrom(s, &u, sizeof u, 0, (void *)&from, &len);
    C(n >= (long)sizeof u.h);
    N(len); N(from.nl_family); N(from.nl_pid);
    N(u.h.nlmsg_type); N(u.h.nlmsg_seq);
    if (u.h.nlmsg_type == NLMSG_ERROR) {
        struct nlmsgerr *e = NLMSG_DATA(&u.h);
        N(e->error); N(e->msg.nlmsg_type); N(e->msg.nlmsg_seq);
    }
}

static void requests(void) {
    int s = T(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct sockaddr_nl me = {.nl_family = AF_NETLINK}, peer;
    socklen_t len = sizeof me;
    T(bind(s, (void *)&me, sizeof me));
    T(bind(s, (void *)&me, 4));
    T(getsockname(s, (void *)&me, &len)); N(len); C(me.nl_pid != 0);
    T(getpeername(s, (void *)&peer, &len)); N(peer.nl_pid);
    T(listen(s, 1));
    T(accept(s, NULL, NULL));
    T(recv(s, &len, sizeof len, MSG_DONTWAIT));
    struct { struct nlmsghdr h; struct ifinfomsg i; } q = {{sizeof q, RTM_GETLINK, NLM_F_REQUEST, 7, 0}, {.ifi_index = 1}};
    T(send(s, &q, sizeof q, 0));
    answer(s, "the first interface");
    q.i.ifi_index = 12345, q.h.nlmsg_seq = 8;
    T(send(s, &q, sizeof q, 0));
    answer(s, "one that does not exist");
    q.h.nlmsg_flags = 0;
    T(send(s, &q, sizeof q, 0)); // no request
    T(recv(s, &q, sizeof q, MSG_DONTWAIT));
    T(send(s, &q, 3, 0)); // no message
    T(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
    T(socket(AF_NETLINK, SOCK_RAW, 77));
}
#else
static void requests(void) {}
#endif

int main(void) {
    names();
    requests();
    return 0;
}
