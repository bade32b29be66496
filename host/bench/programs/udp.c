/* Sends datagrams of 32 bytes, from one thread and from eight, each with a socket of its own, to the
 * address and port that are the second and third argument. An operation is a send of any of them, so
 * its time is wall time over the calls of all threads. */
#include "bench.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define MOST 8

static int sockets[MOST];
static struct sockaddr_in to;

struct share {
    int socket;
    long sends;
};

static void *send_all(void *arg) {
    static const char datagram[32];
    struct share *share = arg;
    for (long n = share->sends; n--;)
        check(sendto(share->socket, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to) ==
                  sizeof datagram,
              "sendto");
    return NULL;
}

static void send_one(long n) {
    struct share share = {sockets[0], n};
    send_all(&share);
}

static void send_eight(long n) {
    pthread_t threads[MOST];
    struct share shares[MOST];
    for (int i = 0; i < MOST; i++) {
        shares[i] = (struct share){sockets[i], n / MOST + (i < n % MOST)};
        check(pthread_create(&threads[i], NULL, send_all, &shares[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < MOST; i++)
        check(pthread_join(threads[i], NULL) == 0, "pthread_join");
}

int main(int argc, char **argv) {
    start(argc, argv);
    check(argc > 3, "usage: udp MILLISECONDS ADDRESS PORT");
    to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
    check(inet_pton(AF_INET, argv[2], &to.sin_addr) == 1, argv[2]);
    for (int i = 0; i < MOST; i++) {
        sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        check(sockets[i] >= 0, "socket");
    }
    /* The neighbour's address is found before anything is measured. */
    send_one(1);
    usleep(100000);
    measure("send of 32 B, 1 thread", send_one);
    measure("send of 32 B, 8 threads", send_eight);
    return 0;
}
