// Most is what the machine is set to. SO_SNDBUF, SO_RCVBUF and their FORCE variants: least and most, doubled; SO_RCVLOWAT; timeouts.
#include "net/n.h"
int main(void) {
    int s[4] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_DGRAM, 0)};
    int values[] = {0, 1, 1000, 2304, 4608, 100000, 212992};
    for (int i = 0; i < 4; i++) {
        N(i);
        GET(s[i], SOL_SOCKET, SO_SNDBUF); GET(s[i], SOL_SOCKET, SO_RCVBUF);
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            N(values[v]);
            SET(s[i], SOL_SOCKET, SO_SNDBUF, values[v]); GET(s[i], SOL_SOCKET, SO_SNDBUF);
            SET(s[i], SOL_SOCKET, SO_RCVBUF, values[v]); GET(s[i], SOL_SOCKET, SO_RCVBUF);
            if (i < 2) { SET(s[i], SOL_SOCKET, SO_RCVLOWAT, values[v]); GET(s[i], SOL_SOCKET, SO_RCVLOWAT); }
        }
        SET(s[i], SOL_SOCKET, SO_SNDBUFFORCE, 1000000); GET(s[i], SOL_SOCKET, SO_SNDBUF);
        SET(s[i], SOL_SOCKET, SO_RCVBUFFORCE, 1000000); GET(s[i], SOL_SOCKET, SO_RCVBUF);
        GET(s[i], SOL_SOCKET, SO_RCVBUFFORCE);
        struct timeval t[] = {{0, 0}, {1, 0}, {0, 1}, {0, 999999}, {0, 1000000}, {0, -1}, {-1, 0}, {-1, 5}, {5, 500000}};
        for (size_t n = 0; n < sizeof t / sizeof *t; n++) {
            struct timeval back = {77, 77};
            socklen_t len = sizeof back;
            int result = setsockopt(s[i], SOL_SOCKET, SO_SNDTIMEO, &t[n], sizeof t[n]), error = errno;
            getsockopt(s[i], SOL_SOCKET, SO_SNDTIMEO, &back, &len);
            printf("timeout %ld.%06ld: %s, %ld.%06ld\n", (long)t[n].tv_sec, (long)t[n].tv_usec, result ? t_name(error) : "ok",
                   (long)back.tv_sec, (long)back.tv_usec / 10000);
        }
        struct linger l[] = {{0, 0}, {1, 0}, {1, 7}, {5, 1}, {0, 9}, {1, -1}};
        for (size_t n = 0; n < sizeof l / sizeof *l; n++) {
            struct linger back = {77, 77};
            socklen_t len = sizeof back;
            int result = setsockopt(s[i], SOL_SOCKET, SO_LINGER, &l[n], sizeof l[n]);
            getsockopt(s[i], SOL_SOCKET, SO_LINGER, &back, &len);
            printf("linger %d %d: %d, %d %d\n", l[n].l_onoff, l[n].l_linger, result, back.l_onoff, back.l_linger);
        }
    }
    return 0;
}
