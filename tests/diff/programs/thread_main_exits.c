// The main thread leaves by pthread_exit; the process goes on and ends with the last thread, status 0.
#include "t.h"

static void *thread(void *unused) {
    t_sleep_ms(50);
    puts("still here");
    return unused;
}

int main(void) {
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    puts("main leaves");
    pthread_exit(NULL);
}
