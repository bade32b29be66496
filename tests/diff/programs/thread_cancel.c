// Cancellation, deferred and asynchronous, with clean-up handlers.
// diff: cpus=2
#include "t.h"

static int p[2];
static atomic_int started, disabled_end;
static const char *cleaned = "nobody";
static void cleanup(void *text) { cleaned = text; }
static void *reading(void *unused) {
    char c;
    pthread_cleanup_push(cleanup, "reader");
    started++;
    read(p[0], &c, 1);
    puts("not reached");
    pthread_cleanup_pop(0);
    return unused;
}
static void *spinning(void *unused) {
    pthread_cleanup_push(cleanup, "spinner");
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    started++;
    for (;;) {}
    pthread_cleanup_pop(0);
    return unused;
}
static void *disabled(void *unused) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    started++;
    t_sleep_ms(50);
    disabled_end = 1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    puts("not reached");
    return unused;
}

int main(void) {
    void *(*work[])(void *) = {reading, spinning, disabled};
    pipe(p);
    for (int i = 0; i < 3; i++) {
        pthread_t t;
        void *result;
        pthread_create(&t, NULL, work[i], NULL);
        while (started <= i) usleep(1000);
        if (i == 0) t_sleep_ms(30);
        int error = pthread_cancel(t);
        E(pthread_join(t, &result));
        C(result == PTHREAD_CANCELED);
        N(error); S(cleaned);
    }
    N(disabled_end);
    return 0;
}
