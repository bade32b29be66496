// An epoll server with nonblocking sockets answers sixteen client threads.
// diff: cpus=2
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct sockaddr_in a = {.sin_family = AF_INET};
static atomic_int right;
static void *client(void *id) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (void *)&a, sizeof a)) perror("connect");
    for (int i = 0; i < 50; i++) {
        int question[2] = {(int)(long)id, i}, answer[2] = {0};
        write(c, question, sizeof question);
        if (recv(c, answer, sizeof answer, MSG_WAITALL) == 8 && answer[0] == (int)(long)id && answer[1] == i * i) right++;
    }
    close(c);
    return NULL;
}

int main(void) {
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = epoll_create1(0), open = 0, closed = 0;
    bind(l, (void *)&a, sizeof a);
    listen(l, 32);
    getsockname(l, (void *)&a, &len);
    epoll_ctl(e, EPOLL_CTL_ADD, l, &(struct epoll_event){EPOLLIN, {.fd = l}});
    pthread_t t[16];
    for (long i = 0; i < 16; i++) pthread_create(&t[i], NULL, client, (void *)i);
    while (closed < 16) {
        struct epoll_event ev[8];
        int n = epoll_wait(e, ev, 8, -1);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.fd, q[2];
            if (fd == l) {
                for (int s; (s = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0; open++)
                    epoll_ctl(e, EPOLL_CTL_ADD, s, &(struct epoll_event){EPOLLIN | EPOLLET | EPOLLRDHUP, {.fd = s}});
                continue;
            }
            long got;
            while ((got = read(fd, q, sizeof q)) == 8) { q[1] *= q[1]; write(fd, q, sizeof q); }
            if (got == 0) { close(fd); closed++; }
        }
    }
    for (int i = 0; i < 16; i++) pthread_join(t[i], NULL);
    N(open); N(closed); N(right);
    return 0;
}
