// splice, tee and vmsplice between pipes and files.
#include "t.h"

int main(void) {
    t_scratch();
    int f = t_file("f", "0123456789"), o = t_file("o", ""), p[2], q[2];
    char b[64] = "";
    pipe(p); pipe(q);
    off_t at = 3;
    T(splice(f, &at, p[1], NULL, 4, 0)); N(at);
    T(tee(p[0], q[1], 100, 0));
    T(read(q[0], b, 64)); S(b);
    T(splice(p[0], NULL, o, NULL, 100, 0));
    t_cat("o");
    T(write(p[1], "through", 7));
    T(splice(p[0], NULL, q[1], NULL, 3, 0));
    memset(b, 0, sizeof b);
    T(read(q[0], b, 64)); S(b);
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    T(read(q[0], b, 64)); S(b);
    T(splice(p[0], NULL, q[1], NULL, 1, SPLICE_F_NONBLOCK));
    T(tee(p[0], q[1], 1, SPLICE_F_NONBLOCK));
    T(splice(p[0], NULL, q[1], NULL, 0, 0));
    T(splice(p[0], &at, q[1], NULL, 1, 0));
    T(splice(f, NULL, o, NULL, 1, 0));
    T(splice(f, &at, p[1], &at, 1, 0));
    T(splice(-1, NULL, p[1], NULL, 1, 0));
    T(splice(f, NULL, -1, NULL, 1, 0));
    T(splice(p[1], NULL, q[1], NULL, 1, SPLICE_F_NONBLOCK));
    T(splice(p[0], NULL, p[1], NULL, 1, SPLICE_F_NONBLOCK));
    T(splice(f, NULL, p[1], NULL, 1, 0x1000));
    T(tee(f, p[1], 1, 0));
    T(tee(p[0], p[1], 1, 0));
    struct iovec v[2] = {{"vm", 2}, {"splice", 6}};
    T(vmsplice(p[1], v, 2, 0));
    memset(b, 0, sizeof b);
    T(read(p[0], b, 64)); S(b);
    T(vmsplice(f, v, 2, 0));
    close(p[1]);
    T(splice(p[0], NULL, o, NULL, 1, 0));
    T(write(q[1], "end", 3));
    int null = open("/dev/null", O_WRONLY);
    T(splice(q[0], NULL, null, NULL, 10, 0));
    return 0;
}
