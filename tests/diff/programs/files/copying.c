// diff: libc=glibc
// copy_file_range, sendfile, splice, tee, vmsplice: results, offsets, errors in Linux's order.
#include "files.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#define cfr(...) copy_file_range(__VA_ARGS__)

int main(void) {
    f_scratch();
    char big[70000], b[70000]; for (size_t i = 0; i < sizeof big; i++) big[i] = 'a' + i % 26;
    int in = open("in", O_CREAT | O_RDWR, 0644), out = open("out", O_CREAT | O_RDWR, 0644), ro = open("out", O_RDONLY), wo = open("in", O_WRONLY), app = open("out", O_WRONLY | O_APPEND), dir = open(".", O_RDONLY), path = open("in", O_PATH), p[2], q[2], null = open("/dev/null", O_RDWR), zero_ = open("/dev/zero", O_RDWR), sv[2];
    write(in, big, 20000); pipe(p); pipe(q); socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    off_t a, c;
    // copy_file_range
    lseek(in, 0, SEEK_SET); T(cfr(in, NULL, out, NULL, 100, 0)); N(lseek(in, 0, SEEK_CUR)); N(lseek(out, 0, SEEK_CUR));
    a = 5, c = 1000; T(cfr(in, &a, out, &c, 50, 0)); N(a); N(c); N(lseek(in, 0, SEEK_CUR)); N(lseek(out, 0, SEEK_END));
    a = 19990; T(cfr(in, &a, out, NULL, 100, 0)); N(a); a = 20000; T(cfr(in, &a, out, NULL, 100, 0)); a = 30000;
    T(cfr(in, &a, out, NULL, 100, 0)); T(cfr(in, NULL, out, NULL, 0, 0)); T(cfr(in, NULL, out, NULL, 10, 1));
    T(cfr(-1, NULL, out, NULL, 10, 1)); T(cfr(in, NULL, -1, NULL, 10, 0)); T(cfr(in, BAD, out, NULL, 10, 1));
    T(cfr(in, NULL, ro, NULL, 10, 0)); T(cfr(wo, NULL, out, NULL, 10, 0)); T(cfr(in, NULL, app, NULL, 10, 0));
    T(cfr(dir, NULL, out, NULL, 10, 0)); T(cfr(in, NULL, dir, NULL, 10, 0)); T(cfr(p[0], NULL, dir, NULL, 10, 0));
    T(cfr(p[0], NULL, out, NULL, 10, 0)); T(cfr(in, NULL, p[1], NULL, 10, 0)); T(cfr(zero_, NULL, out, NULL, 10, 0));
    T(cfr(in, NULL, null, NULL, 10, 0)); T(cfr(path, NULL, out, NULL, 10, 0));
    a = 0, c = 10; T(cfr(in, &a, in, &c, 20, 0)); c = 20; T(cfr(in, &a, in, &c, 20, 0)); N(a); a = 19990, c = 19995;
    T(cfr(in, &a, in, &c, 1000, 0)); a = 100, c = 0; T(cfr(in, &a, in, &c, 200, 0)); a = 0x7fffffffffffff00;
    T(cfr(in, &a, out, NULL, 0x200, 0)); a = 0, c = 0x7ffffffffffffff0; T(cfr(in, &a, out, &c, 0x200, 0)); a = 10;
    T(cfr(in, &a, out, NULL, -1ul, 0)); a = 0; lseek(out, 0, SEEK_SET); T(cfr(in, &a, out, NULL, 1ul << 40, 0)); N(a);
    // sendfile
    ftruncate(out, 0); lseek(out, 0, SEEK_SET); a = 10; T(sendfile(out, in, &a, 100)); N(a); N(lseek(in, 0, SEEK_CUR));
    lseek(in, 0, SEEK_SET); T(sendfile(out, in, NULL, 50)); N(lseek(in, 0, SEEK_CUR)); a = 19995; T(sendfile(out, in, &a, 100));
    a = 30000; T(sendfile(out, in, &a, 100)); a = -1; T(sendfile(out, in, &a, 100)); T(sendfile(out, in, BAD, 100));
    T(sendfile(-1, -1, BAD, 100)); T(sendfile(out, -1, NULL, 1)); T(sendfile(-1, in, NULL, 1)); T(sendfile(ro, in, NULL, 1));
    T(sendfile(out, wo, NULL, 1)); T(sendfile(app, in, NULL, 1)); T(sendfile(out, dir, NULL, 1)); T(sendfile(dir, in, NULL, 1));
    T(sendfile(out, p[0], NULL, 1)); a = 0; T(sendfile(out, p[0], &a, 1)); T(sendfile(out, in, NULL, 0));
    T(sendfile(null, in, NULL, 10)); T(sendfile(out, zero_, NULL, 10)); T(sendfile(p[1], in, NULL, 10)); T(read(p[0], b, 100));
    T(sendfile(sv[0], in, NULL, 10)); T(read(sv[1], b, 100)); T(sendfile(out, sv[0], NULL, 10));
    T(sendfile(out, path, NULL, 1)); T(sendfile(path, in, NULL, 1)); fcntl(p[1], F_SETFL, O_NONBLOCK); a = 0;
    T(sendfile(p[1], in, &a, 20000)); while (write(p[1], big, 4096) > 0) {} a = 100; T(sendfile(p[1], in, &a, 10)); N(a);
    while (read(p[0], b, 70000) == 70000) {} fcntl(p[1], F_SETFL, 0);
    // splice
    ftruncate(out, 0); lseek(out, 0, SEEK_SET); lseek(in, 0, SEEK_SET); T(splice(in, NULL, p[1], NULL, 100, 0));
    N(lseek(in, 0, SEEK_CUR)); T(splice(p[0], NULL, out, NULL, 60, 0)); N(lseek(out, 0, SEEK_CUR)); a = 500;
    T(splice(p[0], NULL, out, &a, 60, 0)); N(a); a = 10; T(splice(in, &a, p[1], NULL, 5, 0)); N(a);
    T(splice(p[0], NULL, q[1], NULL, 100, 0)); T(read(q[0], b, 10)); T(splice(p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
    T(splice(p[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK)); a = 30000; T(splice(in, &a, p[1], NULL, 5, 0));
    T(splice(in, NULL, out, NULL, 5, 0)); T(splice(p[0], NULL, p[1], NULL, 5, 0)); T(splice(in, NULL, p[1], NULL, 0, 0x100));
    T(splice(in, NULL, p[1], NULL, 5, 0x100)); T(splice(-1, NULL, p[1], NULL, 5, 0)); T(splice(in, NULL, -1, NULL, 5, 0));
    T(splice(p[0], &a, out, NULL, 5, 0)); T(splice(in, NULL, p[1], &a, 5, 0)); T(splice(in, BAD, p[1], NULL, 5, 0));
    T(splice(p[1], NULL, out, NULL, 5, 0)); T(splice(in, NULL, p[0], NULL, 5, 0)); T(splice(wo, NULL, p[1], NULL, 5, 0));
    T(splice(p[0], NULL, ro, NULL, 5, 0)); T(splice(p[0], NULL, app, NULL, 5, 0)); T(splice(dir, NULL, p[1], NULL, 5, 0));
    T(splice(p[0], NULL, dir, NULL, 5, 0)); a = 0; T(splice(sv[0], &a, p[1], NULL, 5, 0)); T(splice(p[1], &a, out, NULL, 5, 0));
    a = -5; T(splice(in, &a, p[1], NULL, 5, 0)); T(splice(zero_, NULL, p[1], NULL, 5, 0)); T(read(p[0], b, 10));
    write(p[1], "12345", 5); T(splice(p[0], NULL, null, NULL, 5, 0)); write(p[1], "12345", 5);
    T(splice(p[0], NULL, sv[0], NULL, 5, 0)); T(read(sv[1], b, 10)); write(sv[1], "abc", 3);
    T(splice(sv[0], NULL, p[1], NULL, 5, 0)); T(read(p[0], b, 10)); T(splice(path, NULL, p[1], NULL, 5, 0));
    // tee
    write(p[1], "hello", 5); T(tee(p[0], q[1], 3, 0)); T(read(q[0], b, 10)); T(tee(p[0], q[1], 100, 0)); T(read(q[0], b, 10));
    T(read(p[0], b, 10)); T(tee(p[0], q[1], 10, SPLICE_F_NONBLOCK)); T(tee(p[0], p[1], 10, SPLICE_F_NONBLOCK));
    T(tee(in, q[1], 10, 0)); T(tee(p[0], out, 10, 0)); T(tee(p[0], q[1], 0, 0)); T(tee(p[0], q[1], 0, 0x100));
    T(tee(-1, q[1], 10, 0)); T(tee(p[1], q[1], 10, 0)); T(tee(p[0], q[0], 10, 0));
    // vmsplice
    struct iovec v[2] = {{"abc", 3}, {"defg", 4}}, bad = {BAD, 3}; T(vmsplice(p[1], v, 2, 0)); memset(b, 0, 10);
    T(read(p[0], b, 10)); puts(b); T(vmsplice(p[1], &bad, 1, 0)); T(vmsplice(p[1], v, 0, 0)); T(vmsplice(p[1], v, 2000, 0));
    T(vmsplice(p[1], v, 1, 0x100)); T(vmsplice(-1, v, 1, 0)); T(vmsplice(in, v, 1, 0)); T(vmsplice(in, v, 0, 0));
    write(p[1], "12345", 5); struct iovec r[2] = {{b, 2}, {b + 10, 10}}; T(vmsplice(p[0], r, 2, 0));
    T(vmsplice(p[0], r, 1, SPLICE_F_NONBLOCK)); T(vmsplice(dir, v, 1, 0)); T(vmsplice(path, v, 1, 0)); close(p[0]);
    signal(SIGPIPE, SIG_IGN); T(vmsplice(p[1], v, 1, 0)); T(splice(in, NULL, p[1], NULL, 5, 0));
    T(tee(q[0], p[1], 5, SPLICE_F_NONBLOCK)); close(q[1]); T(splice(q[0], NULL, out, NULL, 5, 0)); T(vmsplice(q[0], r, 1, 0));
    return 0;
}
