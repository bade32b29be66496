// eventfd and pipe2: limits, semaphore mode, flags, sizes, errors; what poll says of each.
#include "../t.h"
#include <poll.h>
#include <sys/eventfd.h>
static int ready(int fd) { struct pollfd p = {fd, POLLIN | POLLOUT, 0}; poll(&p, 1, 0); return p.revents; }
int main(void) {
    uint64_t v = 0;
    T(syscall(SYS_eventfd2, 0, 0x10));
    T(syscall(SYS_eventfd2, 0, O_RDWR));
    int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    T(fcntl(e, F_GETFD)); T(fcntl(e, F_GETFL));
    N(ready(e));
    T(read(e, &v, 7)); T(read(e, &v, 8)); N(v);
    T(read(e, &v, 8)); N(ready(e));
    v = ~0ull;
    T(write(e, &v, 8)); T(write(e, &v, 7)); T(write(e, BAD, 8));
    v = ~0ull - 1;
    T(write(e, &v, 8)); N(ready(e));
    v = 1;
    T(write(e, &v, 8)); // full
    v = 0;
    T(write(e, &v, 8));
    T(read(e, BAD, 8));
    T(read(e, &v, 16)); C(v == ~0ull - 1 || v == 0);
    T(lseek(e, 0, SEEK_SET)); T(pread(e, &v, 8, 0)); T(pwrite(e, &v, 8, 0)); T(ftruncate(e, 0));
    int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    T(read(s, &v, 8)); N(v); T(read(s, &v, 8)); N(v); T(read(s, &v, 8));
    // Pipes.
    int p[2] = {-1, -1};
    T(pipe2(p, 1)); T(pipe2(BAD, 0)); T(pipe2(p, O_NONBLOCK | O_CLOEXEC | O_DIRECT));
    T(fcntl(p[0], F_GETFL)); T(fcntl(p[1], F_GETFL)); T(fcntl(p[0], F_GETFD));
    N(ready(p[0])); N(ready(p[1]));
    T(fcntl(p[0], F_GETPIPE_SZ)); T(fcntl(p[0], F_SETPIPE_SZ, 1)); T(fcntl(p[0], F_SETPIPE_SZ, 5000)); T(fcntl(p[0], F_SETPIPE_SZ, 0));
    T(fcntl(p[0], F_SETPIPE_SZ, -1)); T(fcntl(e, F_GETPIPE_SZ));
    char big[8192] = "";
    long n, sum = 0;
    while ((n = write(p[1], big, 1000)) > 0) sum += n;
    N(sum); N(ready(p[1]));
    T(fcntl(p[0], F_SETPIPE_SZ, 4096)); // more packets than fit
    T(read(p[0], big, 10)); T(read(p[0], big, 8192)); // packets: the rest of one is lost
    T(read(p[1], big, 1)); T(write(p[0], big, 1));
    T(lseek(p[0], 0, SEEK_CUR)); T(fsync(p[0])); T(ftruncate(p[1], 0));
    close(p[1]);
    while (read(p[0], big, sizeof big) > 0) {}
    N(ready(p[0])); T(read(p[0], big, 1)); T(read(p[0], big, 0));
    pipe(p);
    signal(SIGPIPE, SIG_IGN);
    close(p[0]);
    N(ready(p[1])); T(write(p[1], big, 1)); T(write(p[1], big, 0));
    return 0;
}
