// sendmmsg(2) and recvmmsg(2): counts, errors on the way, MSG_WAITFORONE, timeouts, wrong pointers.
// diff: cpus=2; libc=glibc
#include "net/n.h"
static struct mmsghdr m[8];
static struct iovec v[8];
static char b[8][32];
static void prepare(int count, int fill) {
    memset(m, 0, sizeof m);
    for (int i = 0; i < count; i++) {
        if (fill) snprintf(b[i], sizeof b[i], "message %d", i);
        v[i] = (struct iovec){b[i], fill ? strlen(b[i]) : sizeof b[i]};
        m[i].msg_hdr.msg_iov = &v[i], m[i].msg_hdr.msg_iovlen = 1, m[i].msg_len = 77;
    }
}
static void lens(int count) { for (int i = 0; i < count; i++) printf("%u ", m[i].msg_len); printf("\n"); }
int main(void) {
    int e[2];
    n_udp_pair(e);
    prepare(4, 1); T(sendmmsg(e[0], m, 4, 0)); lens(4); prepare(8, 0); T(recvmmsg(e[1], m, 8, MSG_DONTWAIT, NULL)); lens(5); S(b[3]);
    T(recvmmsg(e[1], m, 8, MSG_DONTWAIT, NULL)); T(sendmmsg(e[0], m, 0, 0)); T(recvmmsg(e[1], m, 0, 0, NULL)); T(sendmmsg(e[0], BAD, 1, 0)); T(sendmmsg(e[0], BAD, 0, 0)); T(recvmmsg(e[1], BAD, 1, MSG_DONTWAIT, NULL)); T(sendmmsg(-1, m, 1, 0)); T(recvmmsg(open("/dev/null", O_RDONLY), m, 1, 0, NULL));
    prepare(4, 1); m[2].msg_hdr.msg_iov = (void *)BAD; T(sendmmsg(e[0], m, 4, 0)); lens(4); prepare(4, 1); m[0].msg_hdr.msg_iov = (void *)BAD; T(sendmmsg(e[0], m, 4, 0)); prepare(8, 0); T(recvmmsg(e[1], m, 8, MSG_WAITFORONE, NULL)); lens(3);
    prepare(3, 1); T(sendmmsg(e[0], m, 3, 0)); prepare(8, 0); struct timespec t = {0, 50000000}; T(recvmmsg(e[1], m, 3, 0, &t)); C(t.tv_sec == 0 && t.tv_nsec <= 50000000);
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}; T(recvmmsg(e[1], m, 1, MSG_DONTWAIT, &bad)); T(recvmmsg(e[1], m, 1, MSG_DONTWAIT, &negative)); T(recvmmsg(e[1], m, 1, MSG_DONTWAIT, BAD));
    prepare(2, 1); T(sendmmsg(e[1], m, 2, 0)); m[1].msg_hdr.msg_iovlen = 2000; T(sendmmsg(e[0], m, 2, 0)); prepare(1, 1); m[0].msg_hdr.msg_iovlen = 2000; T(sendmmsg(e[0], m, 1, 0)); struct msghdr one = {.msg_iov = v, .msg_iovlen = (size_t)-1}; T(sendmsg(e[0], &one, 0)); T(recvmsg(e[0], &one, MSG_DONTWAIT)); one.msg_iovlen = 0; T(sendmsg(e[0], &one, 0)); one.msg_iov = NULL; T(sendmsg(e[0], &one, 0)); one.msg_namelen = -1; one.msg_name = b; T(sendmsg(e[0], &one, 0)); T(recvmsg(e[1], &one, MSG_DONTWAIT));
    T(sendmsg(e[0], BAD, 0)); T(recvmsg(e[0], BAD, MSG_DONTWAIT)); T(sendmsg(e[0], NULL, 0));
    int d[2]; socketpair(AF_UNIX, SOCK_SEQPACKET, 0, d); prepare(3, 1); T(sendmmsg(d[0], m, 3, 0)); prepare(3, 0); T(recvmmsg(d[1], m, 3, 0, NULL)); lens(3);
    int s[2]; n_pair(s); prepare(3, 1); T(sendmmsg(s[0], m, 3, 0)); t_sleep_ms(20); prepare(3, 0); T(recvmmsg(s[1], m, 3, MSG_WAITFORONE, NULL)); lens(2);
    struct msghdr big = {.msg_iov = (struct iovec[]){{b[0], (size_t)-1}}, .msg_iovlen = 1}; T(sendmsg(e[0], &big, 0)); big.msg_iov[0].iov_len = 3; big.msg_control = BAD; big.msg_controllen = 16; T(sendmsg(e[0], &big, 0)); big.msg_controllen = 8; big.msg_control = b[1]; T(sendmsg(e[0], &big, 0)); big.msg_controllen = 1 << 24; T(sendmsg(e[0], &big, 0));
    struct { struct cmsghdr h; int x; } bad_control = {{.cmsg_len = 4, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}, 0}; big.msg_control = &bad_control; big.msg_controllen = sizeof bad_control; T(sendmsg(e[0], &big, 0)); bad_control.h.cmsg_len = 100; T(sendmsg(e[0], &big, 0)); bad_control.h.cmsg_len = sizeof bad_control; bad_control.h.cmsg_level = 99; T(sendmsg(e[0], &big, 0));
    return 0;
}
