// SIGILL in a second thread, without a handler: 132, and the whole process.
#include "t.h"

static void *thread(void *unused) {
    puts("before");
    __asm__ volatile("ud2");
    return unused;
}

int main(void) {
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pause();
    puts("not reached");
    return 0;
}
