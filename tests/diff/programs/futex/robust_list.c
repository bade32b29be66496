// Robust lists by hand: owners that end, pending operations, waiters of the dead, lists that cannot be read.
// diff: cpus=2; libc=glibc
#include "../t.h"
#include <stddef.h>
#include <linux/futex.h>
struct node { struct node *next; _Atomic uint32_t word; };
static struct { struct node *first; long offset; struct node *pending; } head;
static struct node a, b, c;
static long f(void *w, int op, unsigned v, void *t) { return syscall(SYS_futex, w, op, v, t, NULL, 0); }
static int mode;
static _Atomic int waits;
static void *owner(void *u) {
    uint32_t me = (uint32_t)syscall(SYS_gettid);
    a.word = me; b.word = me | FUTEX_WAITERS; c.word = mode == 3 ? 12345 : me;
    head.offset = offsetof(struct node, word);
    head.first = &a; a.next = &b; b.next = (struct node *)&head.first; head.pending = NULL;
    if (mode == 1) head.pending = &c;
    if (mode == 2) { a.next = (struct node *)8; }
    if (mode == 3) head.pending = &c;
    if (mode == 4) a.next = &a; // a loop
    syscall(SYS_set_robust_list, &head, 24L);
    while (!waits) t_sleep_ms(1);
    t_sleep_ms(20);
    syscall(SYS_exit, 0);
    return u;
}
static void *waiter(void *u) {
    struct timespec t = {2, 0};
    while (!b.word) t_sleep_ms(1);
    uint32_t v = b.word;
    waits = 1;
    long r = f(&b.word, FUTEX_WAIT, v, mode == 2 || mode == 4 ? &(struct timespec){0, 100000000} : &t);
    printf("waiter: %ld %s\n", r, r ? t_name(errno) : "");
    return u;
}
static const char *state(uint32_t w) { static char s[4][40]; static int n; char *x = s[n++ & 3]; snprintf(x, 40, "%s%s%s", w & FUTEX_TID_MASK ? "owned " : "", w & FUTEX_OWNER_DIED ? "died " : "", w & FUTEX_WAITERS ? "waiters" : ""); return x; }
int main(void) {
    for (mode = 0; mode < 5; mode++) {
        pthread_t p, w;
        waits = 0; a.word = b.word = c.word = 0;
        pthread_create(&w, NULL, waiter, NULL);
        pthread_create(&p, NULL, owner, NULL);
        pthread_join(w, NULL);
        pthread_join(p, NULL);
        printf("%d: [%s] [%s] [%s]\n", mode, state(a.word), state(b.word), state(c.word));
    }
    return 0;
}
