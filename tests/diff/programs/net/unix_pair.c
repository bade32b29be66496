// socketpair(2): arguments, the descriptors that come out, options of both ends.
#include "net/n.h"
int main(void) {
    int s[2];
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL)); T(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD)); T(socketpair(AF_INET, SOCK_STREAM, 0, s)); T(socketpair(AF_INET, SOCK_DGRAM, 0, s)); T(socketpair(AF_INET, SOCK_STREAM, 99, s)); T(socketpair(AF_INET6, SOCK_STREAM, 0, s));
    T(socketpair(AF_NETLINK, SOCK_RAW, 0, s)); T(socketpair(AF_PACKET, SOCK_RAW, 0, s)); T(socketpair(999, SOCK_STREAM, 0, s)); T(socketpair(-1, SOCK_STREAM, 0, s)); T(socketpair(AF_UNIX, 77, 0, s)); T(socketpair(AF_UNIX, SOCK_STREAM | 0x40, 0, s)); T(socketpair(AF_UNIX, SOCK_STREAM, 7, s)); T(socketpair(AF_UNSPEC, SOCK_STREAM, 0, s));
    // Nothing was left open.
    int next = dup(0); N(next); close(next);
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
    for (int i = 0; i < 4; i++) {
        N(kinds[i]);
        T(socketpair(AF_UNIX, kinds[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s)); N(s[0]); N(s[1]); N(fcntl(s[0], F_GETFL)); N(fcntl(s[1], F_GETFD));
        GET(s[0], SOL_SOCKET, SO_TYPE); GET(s[1], SOL_SOCKET, SO_ACCEPTCONN); GET(s[1], SOL_SOCKET, SO_DOMAIN); GET(s[0], SOL_SOCKET, SO_PROTOCOL);
        POLL(s[0]); SOCKNAME(s[0]); PEERNAME(s[0]); T(listen(s[0], 1)); T(accept(s[0], NULL, NULL)); struct sockaddr_un n = {AF_UNIX, "\0nobody"}; T(connect(s[0], (void *)&n, 9)); T(sendto(s[0], "x", 1, 0, (void *)&n, 9));
        struct stat st; T(fstat(s[0], &st)); printf("%o size %ld\n", st.st_mode, (long)st.st_size); C(st.st_nlink == 1);
        T(lseek(s[0], 0, SEEK_CUR)); char b[4]; T(pread(s[0], b, 4, 0)); T(pwrite(s[0], b, 4, 0)); T(ftruncate(s[0], 0)); T(fsync(s[0])); T(fallocate(s[0], 0, 0, 1)); P(mmap(NULL, 4096, PROT_READ, MAP_SHARED, s[0], 0));
        close(s[0]); close(s[1]);
    }
    T(socketpair(AF_UNIX, SOCK_STREAM, 1, s)); GET(s[0], SOL_SOCKET, SO_PROTOCOL);
    struct rlimit { long cur, max; } lim = {s[1] + 2, s[1] + 2}; T(syscall(SYS_setrlimit, 7, &lim)); int t[2]; T(socketpair(AF_UNIX, SOCK_STREAM, 0, t)); next = dup(0); N(next); T(dup(0));
    T(socket(AF_UNIX, SOCK_STREAM, 0)); T(accept(s[0], NULL, NULL));
    return 0;
}
