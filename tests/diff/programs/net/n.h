// What the programs about sockets share: sockets on the loopback, options with any length, poll(2) in words.
#include "t.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

// setsockopt(2) of an int, of the first `len` bytes of it, and getsockopt(2) into a buffer of `room` bytes.
#define SET(s, level, name, value) n_set(#level " " #name " = " #value, s, level, name, value, 4)
#define SETN(s, level, name, value, len) n_set(#level " " #name " = " #value ", " #len " bytes", s, level, name, value, len)
#define GET(s, level, name) n_get(#level " " #name, s, level, name, 4)
#define GETN(s, level, name, room) n_get(#level " " #name " in " #room " bytes", s, level, name, room)
#define POLL(s) n_poll("poll(" #s ")", s)

// A native program gets a network of its own, where nobody else takes ports. An enclave has one anyway.
static inline void n_alone(void) {
    if (unshare(CLONE_NEWNET)) return;
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(s, SIOCSIFFLAGS, &up);
    close(s);
}

static inline void n_set(const char *what, int s, int level, int name, int value, socklen_t len) {
    int words[16] = {value};
    int result = setsockopt(s, level, name, words, len);
    printf("set %s: %s\n", what, result ? t_name(errno) : "ok");
}

static inline void n_get(const char *what, int s, int level, int name, socklen_t room) {
    int value[64];
    memset(value, 0, sizeof value);
    socklen_t len = room;
    int result = getsockopt(s, level, name, value, &len);
    if (result) printf("get %s: %s\n", what, t_name(errno));
    else printf("get %s: %d (%u bytes)\n", what, value[0], len);
}

static inline void n_poll(const char *what, int s) {
    static const struct { short bit; const char *name; } names[] = {
        {POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLRDHUP, "RDHUP"},
        {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"}, {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"}, {POLLNVAL, "NVAL"},
    };
    struct pollfd p = {.fd = s, .events = (short)0xffff};
    poll(&p, 1, 0);
    printf("%s:", what);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (p.revents & names[i].bit) printf(" %s", names[i].name);
    printf("\n");
}

// Waits until one of the events is there.
static inline void n_await(int s, short events) {
    struct pollfd p = {.fd = s, .events = events};
    poll(&p, 1, 5000);
}

static inline struct sockaddr_in n_v4(const char *ip, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static inline struct sockaddr_in6 n_v6(const char *ip, int port) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, ip, &a.sin6_addr);
    return a;
}

static inline int n_bind4(int s, const char *ip, int port) {
    struct sockaddr_in a = n_v4(ip, port);
    return bind(s, (void *)&a, sizeof a);
}

static inline int n_bind6(int s, const char *ip, int port) {
    struct sockaddr_in6 a = n_v6(ip, port);
    return bind(s, (void *)&a, sizeof a);
}

static inline int n_connect4(int s, const char *ip, int port) {
    struct sockaddr_in a = n_v4(ip, port);
    return connect(s, (void *)&a, sizeof a);
}

static inline int n_connect6(int s, const char *ip, int port) {
    struct sockaddr_in6 a = n_v6(ip, port);
    return connect(s, (void *)&a, sizeof a);
}

// The port that a socket is bound to.
static inline int n_port(int s) {
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(s, (void *)&a, &len)) return -1;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

// A listener on a free port of 127.0.0.1.
static inline int n_listener(int backlog) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (n_bind4(s, "127.0.0.1", 0) || listen(s, backlog)) perror("listener"), exit(99);
    return s;
}

// Two connected ends of a TCP connection: the one that connected, the one that was accepted.
static inline void n_pair(int end[2]) {
    int l = n_listener(5);
    end[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (n_connect4(end[0], "127.0.0.1", n_port(l))) perror("connect"), exit(99);
    end[1] = accept(l, NULL, NULL);
    close(l);
}

// Two UDP sockets on free ports of 127.0.0.1, the first connected to the second.
static inline void n_udp_pair(int end[2]) {
    for (int i = 0; i < 2; i++) {
        end[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (n_bind4(end[i], "127.0.0.1", 0)) perror("bind"), exit(99);
    }
    if (n_connect4(end[0], "127.0.0.1", n_port(end[1]))) perror("connect"), exit(99);
}

// An address without its port, if that was given out by the kernel.
static inline void n_name(const char *what, int result, const struct sockaddr *a, socklen_t len, int show_port) {
    char text[64] = "";
    if (result < 0) {
        printf("%s: %s\n", what, t_name(errno));
    } else if (a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        printf("%s: %s port %d (%u bytes)\n", what, text, show_port ? ntohs(in->sin_port) : in->sin_port != 0, len);
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)a;
        inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
        printf("%s: %s port %d scope %u (%u bytes)\n", what, text, show_port ? ntohs(in->sin6_port) : in->sin6_port != 0,
               in->sin6_scope_id, len);
    } else {
        printf("%s: family %d (%u bytes)\n", what, a->sa_family, len);
    }
}
#define SOCKNAME(s) n_sockname("name of " #s, s)
#define PEERNAME(s) n_peername("peer of " #s, s)
static inline void n_sockname(const char *what, int s) {
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    int result = getsockname(s, (void *)&a, &len);
    n_name(what, result, (void *)&a, len, 0);
}
static inline void n_peername(const char *what, int s) {
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    int result = getpeername(s, (void *)&a, &len);
    n_name(what, result, (void *)&a, len, 0);
}
