// SIGBUS: a mapping beyond the end of its file.
#include "t.h"
#include <setjmp.h>

static sigjmp_buf back;
static char *p;
static void handler(int signal, siginfo_t *info, void *unused) {
    (void)unused;
    printf("signal %d code %d offset %ld\n", signal, info->si_code, (long)((char *)info->si_addr - p));
    siglongjmp(back, 1);
}

int main(void) {
    t_scratch();
    int fd = t_file("file", "0123456789");
    t_handle(SIGBUS, handler, SA_SIGINFO);
    p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    N(p[0]);
    p[4000] = 1; // in the last page, beyond the end: allowed and lost
    if (sigsetjmp(back, 1) == 0) p[PAGE] = 1;
    if (sigsetjmp(back, 1) == 0) N(p[2 * PAGE + 7]);
    T(write(open("/dev/null", O_WRONLY), p, 1));
    int q[2];
    pipe(q);
    T(write(q[1], p + PAGE, 1));
    T(ftruncate(fd, 2 * PAGE));
    p[PAGE] = 2;
    N(p[PAGE]);
    T(ftruncate(fd, 0));
    if (sigsetjmp(back, 1) == 0) N(p[0]);
    signal(SIGBUS, SIG_DFL);
    puts("now for good");
    p[0] = 1;
    return 0;
}
