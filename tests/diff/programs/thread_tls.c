// Thread-local storage: initialised, separate, destroyed; thread-specific keys.
// diff: cpus=2
#include "t.h"

static __thread int local = 5;
static __thread char zeros[10000];
static pthread_key_t key;
static atomic_int destroyed, wrong;
static void destroy(void *value) { destroyed += (long)value; }
static void *thread(void *n) {
    wrong += local != 5 || zeros[9999] != 0;
    local = (long)n;
    zeros[9999] = 1;
    pthread_setspecific(key, n);
    for (int i = 0; i < 200; i++) {
        sched_yield();
        wrong += local != (long)n || pthread_getspecific(key) != n;
    }
    errno = (long)n;
    sched_yield();
    wrong += errno != (long)n;
    return &local;
}

int main(void) {
    pthread_t t[8];
    pthread_key_create(&key, destroy);
    for (long i = 0; i < 8; i++) pthread_create(&t[i], NULL, thread, (void *)(i + 10));
    for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
    N(local); N(wrong); N(destroyed);
    C(pthread_getspecific(key) == NULL);
    E(pthread_key_delete(key));
    unsigned long fs = 0, gs = 1;
    T(syscall(SYS_arch_prctl, 0x1003, &fs)); // ARCH_GET_FS
    unsigned long self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    C(self == fs);
    T(syscall(SYS_arch_prctl, 0x1004, &gs)); // ARCH_GET_GS: nobody has set it
    N(gs);
    T(syscall(SYS_arch_prctl, 0x1002, 0xffff800000000000));
    T(syscall(SYS_arch_prctl, 0x9999, &gs));
    return 0;
}
