/* TCP within one machine, over 127.0.0.1: a byte there and back between two threads, and
 * connections. */
#include "bench.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

static int listener, ours, theirs;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void *answer(void *arg) {
    char byte;
    for (long n = (long)arg; n--;) {
        check(read(theirs, &byte, 1) == 1, "read");
        check(write(theirs, &byte, 1) == 1, "write");
    }
    return NULL;
}

static void round_trip(long n) {
    pthread_t thread;
    char byte = 0;
    check(pthread_create(&thread, NULL, answer, (void *)n) == 0, "pthread_create");
    for (long left = n; left--;) {
        check(write(ours, &byte, 1) == 1, "write");
        check(read(ours, &byte, 1) == 1, "read");
    }
    check(pthread_join(thread, NULL) == 0, "pthread_join");
}

static void no_delay(int socket) {
    int on = 1;
    check(setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

static int connected(void) {
    int made = socket(AF_INET, SOCK_STREAM, 0);
    check(made >= 0, "socket");
    check(connect(made, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    return made;
}

/* Closed with a reset, lest ports wait. */
static void connections(long n) {
    struct linger at_once = {.l_onoff = 1};
    while (n--) {
        int one = connected(), other = accept(listener, NULL, NULL);
        check(other >= 0, "accept");
        check(setsockopt(one, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "SO_LINGER");
        close(one);
        close(other);
    }
}

int main(int argc, char **argv) {
    start(argc, argv);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    check(listener >= 0, "socket");
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 16) == 0, "listen");
    socklen_t len = sizeof address;
    check(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
    ours = connected();
    theirs = accept(listener, NULL, NULL);
    check(theirs >= 0, "accept");
    no_delay(ours);
    no_delay(theirs);
    measure("TCP round trip of 1 B, loopback", round_trip);
    measure("TCP connect, accept and close, loopback", connections);
    return 0;
}
