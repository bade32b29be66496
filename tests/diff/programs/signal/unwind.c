// diff: libc=glibc
// A handler that interrupts a system call can be unwound through to who made the call: again and again, so that
// the call has been made from the same place before.
#include "../t.h"
#include <execinfo.h>
#include <ucontext.h>
static int to[2];
static volatile sig_atomic_t reached, inside;
static __attribute__((noinline)) void wait_there(long kind) {
    char byte;
    struct timespec second = {1, 0};
    if (kind == 0) (void)!read(to[0], &byte, 1);
    if (kind == 1) nanosleep(&second, NULL);
    if (kind == 2) syscall(SYS_pause);
    __asm__ volatile("" ::: "memory");
}
static void handler(int signal, siginfo_t *info, void *context) {
    void *frames[32];
    int n = backtrace(frames, 32);
    for (int i = 0; i < n; i++)
        if ((char *)frames[i] > (char *)wait_there && (char *)frames[i] < (char *)wait_there + 200) reached = 1;
    unsigned char *at = (unsigned char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    for (int i = 0; i < n; i++) if (frames[i] == at) inside = 1;
}
static void *thread(void *kind) { wait_there((long)kind); return NULL; }
int main(void) {
    void *frames[4];
    backtrace(frames, 4); // loads the unwinder
    (void)!pipe(to);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
        sigaction(SIGUSR1, &action, NULL);
        for (long kind = 0; kind < 3; kind++)
            for (int round = 0; round < 3; round++) {
                pthread_t who;
                pthread_create(&who, NULL, thread, (void *)kind);
                t_sleep_ms(30);
                reached = inside = 0;
                pthread_kill(who, SIGUSR1);
                if (kind == 0 && flags) { t_sleep_ms(30); (void)!write(to[1], "", 1); }
                pthread_join(who, NULL);
                printf("%s, %ld: %s %s\n", flags ? "restarted" : "interrupted", kind, reached ? "reached" : "lost", inside ? "in its frame" : "elsewhere");
            }
    }
    return 0;
}
