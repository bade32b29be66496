// SOL_TCP: every option's default, values out of range, wrong lengths; before and after connecting.
// diff: cpus=2
#include "net/n.h"
#define RANGE(name, ...) n_range(#name, name, (int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / 4)
static int s;
static void n_range(const char *what, int name, int *values, int count) {
    n_get(what, s, IPPROTO_TCP, name, 4);
    for (int i = 0; i < count; i++) {
        printf("%d: ", values[i]);
        n_set(what, s, IPPROTO_TCP, name, values[i], 4);
        n_get(what, s, IPPROTO_TCP, name, 4);
    }
    n_set(what, s, IPPROTO_TCP, name, 1, 3);
    n_set(what, s, IPPROTO_TCP, name, 1, 0);
    n_get(what, s, IPPROTO_TCP, name, 1);
    n_get(what, s, IPPROTO_TCP, name, 0);
    n_get(what, s, IPPROTO_TCP, name, -1);
}
int main(void) {
    for (int state = 0; state < 3; state++) {
        N(state);
        int end[2] = {-1, -1};
        if (state == 0) s = socket(AF_INET, SOCK_STREAM, 0);
        else if (state == 1) n_pair(end), s = end[0];
        else s = n_listener(3);
        RANGE(TCP_NODELAY, 0, 1, 2, -1); RANGE(TCP_CORK, 0, 1, 2, -1, 0); RANGE(TCP_KEEPIDLE, 0, 1, -1, 32767, 32768, 7200);
        RANGE(TCP_KEEPINTVL, 0, 1, -1, 32767, 32768, 75); RANGE(TCP_KEEPCNT, 0, 1, -1, 127, 128, 9); RANGE(TCP_SYNCNT, 0, 1, -1, 127, 128);
        RANGE(TCP_LINGER2, 0, 1, -1, -5, 60, 120, 121, 1000000); RANGE(TCP_USER_TIMEOUT, 0, 1, -1, INT_MAX, INT_MIN, 5000);
        RANGE(TCP_DEFER_ACCEPT, 0, 1, 2, 3, 4, 5, 10, 30, 100, -1, 0);
        // What a connection starts with depends on the machine.
        if (state != 1) { RANGE(TCP_WINDOW_CLAMP, 1, 100, 5000, 100000, -1); }
        RANGE(TCP_QUICKACK, 0, 1, 2, 3); RANGE(TCP_NOTSENT_LOWAT, 0, 1, -1, 100000);
        if (state == 0) { RANGE(TCP_MAXSEG, 0, 1, 87, 88, 536, 1460, 32767, 32768, -1); }
        else { SET(s, IPPROTO_TCP, TCP_MAXSEG, 87); SET(s, IPPROTO_TCP, TCP_MAXSEG, 600); }
        RANGE(TCP_THIN_LINEAR_TIMEOUTS, 0, 1, 2, -1); RANGE(TCP_THIN_DUPACK, 0, 1, 2, -1); RANGE(TCP_REPAIR_QUEUE, 0);
        RANGE(TCP_INQ, 0, 1, 2, -1);
        GETN(s, IPPROTO_TCP, 9999, 4); SET(s, IPPROTO_TCP, 9999, 1); SET(s, IPPROTO_TCP, 0, 1);
        GETN(s, IPPROTO_TCP, TCP_INFO, 1); GETN(s, IPPROTO_TCP, TCP_INFO, 4); GETN(s, IPPROTO_TCP, TCP_INFO, 104); SET(s, IPPROTO_TCP, TCP_INFO, 1);
        char name[64];
        socklen_t len = 64;
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
        T(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len)); N(len); S(name);
        len = 3; memset(name, 'x', 64);
        T(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len)); N(len); name[4] = 0; S(name);
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)); len = 64;
        T(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len)); S(name);
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno\0garbage", 12)); T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 9));
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0)); T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 1));
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubicandmuchlongerthanthat", 26)); T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, BAD, 4));
        T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
        close(s), close(end[1]);
    }
    int u = socket(AF_INET, SOCK_DGRAM, 0), x = socket(AF_UNIX, SOCK_STREAM, 0), r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    SET(u, IPPROTO_TCP, TCP_NODELAY, 1); GET(u, IPPROTO_TCP, TCP_NODELAY); SET(x, IPPROTO_TCP, TCP_NODELAY, 1); GET(x, IPPROTO_TCP, TCP_NODELAY);
    SET(r, IPPROTO_TCP, TCP_NODELAY, 1); GET(r, IPPROTO_TCP, TCP_NODELAY); SET(x, IPPROTO_IP, IP_TTL, 1); GET(x, 99, 1); SET(u, 99, 1, 1); GET(u, 99, 1);
    return 0;
}
