// Robust lists: a thread that ends with a lock leaves EOWNERDEAD; clear_child_tid wakes the joiner.
#include "t.h"

static pthread_mutex_t m;
static void *holder(void *unused) {
    pthread_mutex_lock(&m);
    return unused;
}

int main(void) {
    pthread_mutexattr_t a;
    pthread_t t;
    pthread_mutexattr_init(&a);
    E(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
    E(pthread_mutex_init(&m, &a));
    for (int i = 0; i < 2; i++) {
        pthread_create(&t, NULL, holder, NULL);
        pthread_join(t, NULL);
        E(pthread_mutex_lock(&m));
        if (i == 0) E(pthread_mutex_consistent(&m));
        E(pthread_mutex_unlock(&m));
    }
    E(pthread_mutex_lock(&m));
    long head = 0, size = 0;
    T(syscall(SYS_get_robust_list, 0, &head, &size));
    N(size);
    T(syscall(SYS_set_robust_list, head, 23L));
    T(syscall(SYS_get_robust_list, 99999999, &head, &size));
    T(syscall(SYS_get_robust_list, 0, BAD, &size));
    int word = 0;
    C(syscall(SYS_set_tid_address, &word) == syscall(SYS_gettid));
    return 0;
}
