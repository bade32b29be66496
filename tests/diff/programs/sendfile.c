// sendfile and copy_file_range.
#include "t.h"
#include <sys/sendfile.h>
#define COPY(from, in, to, out, n, flags) syscall(SYS_copy_file_range, from, in, to, out, (long)(n), flags)

int main(void) {
    t_scratch();
    int a = t_file("a", "0123456789"), b = t_file("b", ""), r = open("a", O_RDONLY), ap = open("b", O_WRONLY | O_APPEND);
    int p[2];
    char buffer[32] = "";
    pipe(p);
    off_t at = 2;
    T(lseek(a, 0, SEEK_SET));
    T(sendfile(b, a, NULL, 4));
    T(sendfile(b, a, &at, 3)); N(at);
    t_cat("b");
    T(lseek(a, 0, SEEK_CUR));
    T(sendfile(p[1], a, NULL, 100));
    T(read(p[0], buffer, 32)); S(buffer);
    T(sendfile(b, a, NULL, 100));
    T(sendfile(b, -1, NULL, 1));
    T(sendfile(-1, a, NULL, 1));
    T(sendfile(r, a, NULL, 1));
    T(sendfile(ap, a, NULL, 1));
    T(sendfile(b, p[0], NULL, 1));
    at = -1;
    T(sendfile(b, a, &at, 1));
    T(sendfile(b, a, BAD, 1));
    at = 100;
    T(sendfile(b, a, &at, 1)); N(at);
    T(ftruncate(b, 0));
    long from = 1, to = 3;
    T(COPY(a, &from, b, &to, 5, 0)); N(from); N(to);
    int raw = open("b", O_RDONLY);
    T(pread(raw, buffer, 32, 0));
    for (int i = 0; i < 8; i++) printf("%d ", buffer[i]);
    puts("");
    lseek(a, 8, SEEK_SET);
    lseek(b, 0, SEEK_SET);
    T(COPY(a, NULL, b, NULL, 5, 0));
    T(COPY(a, NULL, b, NULL, 5, 0));
    T(COPY(a, &from, b, &to, 1, 1));
    from = 0, to = 2;
    T(COPY(a, &from, a, &to, 5, 0)); // overlapping
    T(COPY(a, &from, ap, NULL, 1, 0));
    T(COPY(r, &from, r, &to, 1, 0));
    T(COPY(a, &from, p[1], NULL, 1, 0));
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    T(COPY(dir, NULL, b, NULL, 1, 0));
    T(COPY(-1, NULL, b, NULL, 1, 0));
    return 0;
}
