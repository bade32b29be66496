// Urgent data: MSG_OOB, SIOCATMARK, SO_OOBINLINE, POLLPRI, a read that stops at the mark.
// diff: cpus=2
#include "net/n.h"
static char b[64];
static int marks(int s) { int at = -1; ioctl(s, SIOCATMARK, &at); return at; }
static ssize_t get(int s, size_t len, int flags) { memset(b, 0, sizeof b); return recv(s, b, len, flags); }
int main(void) {
    int e[2];
    n_pair(e);
    T(get(e[1], 1, MSG_OOB)); N(marks(e[1]));
    T(send(e[0], "abc", 3, MSG_OOB)); n_await(e[1], POLLPRI); POLL(e[1]);
    N(marks(e[1])); T(get(e[1], 8, 0)); S(b); N(marks(e[1])); T(get(e[1], 1, MSG_OOB | MSG_PEEK)); S(b); T(get(e[1], 1, MSG_OOB)); S(b); T(get(e[1], 1, MSG_OOB)); POLL(e[1]);
    T(send(e[0], "def", 3, 0)); T(get(e[1], 3, MSG_WAITALL)); S(b); N(marks(e[1]));
    T(send(e[0], "12", 2, 0)); T(send(e[0], "34", 2, MSG_OOB)); T(send(e[0], "56", 2, 0)); n_await(e[1], POLLPRI); t_sleep_ms(20);
    T(get(e[1], 8, 0)); S(b); N(marks(e[1])); T(get(e[1], 8, 0)); S(b); N(marks(e[1])); T(get(e[1], 1, MSG_OOB)); 
    SET(e[1], SOL_SOCKET, SO_OOBINLINE, 1);
    T(send(e[0], "xy", 2, MSG_OOB)); n_await(e[1], POLLPRI); t_sleep_ms(20); POLL(e[1]); T(get(e[1], 1, MSG_OOB)); T(get(e[1], 8, 0)); S(b); N(marks(e[1])); T(get(e[1], 8, 0)); S(b); N(marks(e[1])); POLL(e[1]);
    SET(e[1], SOL_SOCKET, SO_OOBINLINE, 0);
    T(send(e[0], "!", 1, MSG_OOB)); n_await(e[1], POLLPRI);
    T(get(e[1], 1, MSG_OOB)); S(b);
    T(send(e[0], "", 0, MSG_OOB));
    shutdown(e[0], SHUT_WR); n_await(e[1], POLLIN); T(get(e[1], 1, MSG_OOB)); T(get(e[1], 4, 0));
    return 0;
}
