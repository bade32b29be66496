// AF_UNIX listeners: a full backlog, connects that wait and that do not, closing under them, what was sent before accept.
// diff: cpus=1,2
#include "net/n.h"
static struct sockaddr_un a = {AF_UNIX, "\0rkt-backlog"};
#define LEN 14
static int fresh(int flags) { return socket(AF_UNIX, SOCK_STREAM | flags, 0); }
static void *accepts(void *l) { t_sleep_ms(50); for (int i = 0; i < 4; i++) accept(*(int *)l, NULL, NULL); return NULL; }
static void *closes(void *l) { t_sleep_ms(50); close(*(int *)l); return NULL; }
static void *shuts(void *l) { t_sleep_ms(50); shutdown(*(int *)l, SHUT_RDWR); return NULL; }
static void on_alarm(int s) {}
int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int l = fresh(0), c[8], n = 0; pthread_t t; void *got; char b[16];
    T(listen(l, 1)); T(bind(l, (void *)&a, LEN)); T(connect(fresh(0), (void *)&a, LEN)); POLL(l); T(accept(l, NULL, NULL)); T(listen(l, 2));
    for (int i = 0; i < 5; i++) { c[i] = fresh(SOCK_NONBLOCK); int r = connect(c[i], (void *)&a, LEN); printf("connect %d: %d %s\n", i, r, r ? t_name(errno) : ""); n += r == 0; }
    N(n); POLL(l); POLL(c[0]); POLL(c[4]); T(send(c[0], "early", 5, 0)); T(recv(c[0], b, 1, 0)); T(shutdown(c[1], SHUT_WR));
    int first = accept(l, NULL, NULL); T(recv(first, b, 16, 0)); T(send(first, "late", 4, 0)); T(recv(c[0], b, 16, 0)); int second = accept(l, NULL, NULL); T(recv(second, b, 16, 0)); POLL(second);
    T(connect(c[4], (void *)&a, LEN)); T(connect(c[4], (void *)&a, LEN)); T(listen(l, 0)); int w = fresh(0); T(connect(fresh(SOCK_NONBLOCK), (void *)&a, LEN));
    // One that waits until there is room.
    pthread_create(&t, NULL, accepts, &l); T(connect(w, (void *)&a, LEN)); pthread_join(t, &got);
    while (1) { int x = fresh(SOCK_NONBLOCK); if (connect(x, (void *)&a, LEN)) break; }
    w = fresh(0); setsockopt(w, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 30000}, sizeof(struct timeval)); T(connect(w, (void *)&a, LEN));
    t_handle(SIGALRM, on_alarm, 0); setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 30000}}, NULL); w = fresh(0); T(connect(w, (void *)&a, LEN));
    w = fresh(0); pthread_create(&t, NULL, closes, &l); T(connect(w, (void *)&a, LEN)); pthread_join(t, NULL); T(connect(w, (void *)&a, LEN)); POLL(w); GET(w, SOL_SOCKET, SO_ERROR);
    // A listener that is shut down.
    l = fresh(0); T(bind(l, (void *)&a, LEN)); T(listen(l, 5)); c[0] = fresh(0); T(connect(c[0], (void *)&a, LEN)); pthread_create(&t, NULL, shuts, &l); close(accept(l, NULL, NULL)); T(accept(l, NULL, NULL)); pthread_join(t, NULL); T(accept(l, NULL, NULL)); T(connect(fresh(0), (void *)&a, LEN)); POLL(l); T(listen(l, 5)); T(connect(fresh(SOCK_NONBLOCK), (void *)&a, LEN)); close(l);
    // A peer that went before it was accepted.
    l = fresh(0); T(bind(l, (void *)&a, LEN)); T(listen(l, 5)); c[0] = fresh(0); T(connect(c[0], (void *)&a, LEN)); T(send(c[0], "will", 4, 0)); close(c[0]); POLL(l); int s = accept(l, NULL, NULL); C(s >= 0); T(recv(s, b, 16, 0)); T(recv(s, b, 16, 0)); T(send(s, "x", 1, 0)); T(fcntl(l, F_SETFL, O_NONBLOCK)); T(accept(l, NULL, NULL)); T(accept(l, BAD, BAD)); T(accept(s, NULL, NULL));
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 30000}, sizeof(struct timeval)); T(fcntl(l, F_SETFL, 0)); T(accept(l, NULL, NULL));
    return 0;
}
