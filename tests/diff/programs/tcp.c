// TCP over loopback with threads: connect, accept, names, half-close, a megabyte both ways.
// diff: cpus=2
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int listener, peer_right;
static struct sockaddr_in address;
static void *echo(void *unused) {
    static char b[30000];
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int s = accept(listener, (void *)&peer, &len);
    peer_right = peer.sin_family == AF_INET && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && peer.sin_port != 0 && len == 16;
    for (long n; (n = read(s, b, sizeof b)) > 0;)
        for (long done = 0; done < n;) done += write(s, b + done, n - done);
    write(s, "end", 3);
    close(s);
    return unused;
}
static void *sender(void *socket) {
    static char b[1 << 20];
    for (int i = 0; i < 1 << 20; i++) b[i] = i * 7 >> 2;
    for (long done = 0; done < 1 << 20;) {
        long n = write((long)socket, b + done, (1 << 20) - done);
        if (n <= 0) break;
        done += n;
    }
    shutdown((long)socket, SHUT_WR);
    return NULL;
}

int main(void) {
    listener = T(socket(AF_INET, SOCK_STREAM, 0));
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    T(bind(listener, (void *)&address, sizeof address));
    T(listen(listener, 5));
    socklen_t len = sizeof address;
    T(getsockname(listener, (void *)&address, &len));
    C(address.sin_port != 0);
    pthread_t e, w;
    int c = T(socket(AF_INET, SOCK_STREAM, 0)); // before accept, which takes its descriptor when it begins to wait
    pthread_create(&e, NULL, echo, NULL);
    T(connect(c, (void *)&address, sizeof address));
    struct sockaddr_in name, peer;
    len = sizeof name;
    T(getsockname(c, (void *)&name, &len));
    T(getpeername(c, (void *)&peer, &len));
    C(peer.sin_port == address.sin_port && name.sin_port != 0 && name.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    T(connect(c, (void *)&address, sizeof address));
    pthread_create(&w, NULL, sender, (void *)(long)c);
    long total = 0, wrong = 0;
    static unsigned char b[10000];
    char tail[4] = "";
    for (long n; (n = read(c, b, sizeof b)) > 0; total += n)
        for (long i = 0; i < n; i++)
            if (total + i < 1 << 20) wrong += b[i] != (unsigned char)((total + i) * 7 >> 2);
            else tail[total + i - (1 << 20)] = b[i];
    N(total); N(wrong); S(tail);
    pthread_join(w, NULL);
    pthread_join(e, NULL);
    N(peer_right);
    T(read(c, b, 1));
    return 0;
}
