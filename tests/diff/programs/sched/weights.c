// Nice values act: on one processor, a thread of nice 10 gets a small part beside one of nice 0; SCHED_IDLE less.
#include "../t.h"
static _Atomic int stop, ready;
static _Atomic unsigned long count[2];
struct job { int index, nice, policy; };
static void *spin(void *arg) {
    struct job *j = arg;
    struct sched_param p = {0};
    if (j->policy) sched_setscheduler(0, j->policy, &p);
    syscall(SYS_setpriority, 0, 0, j->nice);
    ready++;
    while (ready < 2) {}
    while (!stop) count[j->index]++;
    return NULL;
}
static double share(struct job a, struct job b) {
    pthread_t t[2];
    stop = ready = 0;
    count[0] = count[1] = 0;
    pthread_create(&t[0], NULL, spin, &a);
    pthread_create(&t[1], NULL, spin, &b);
    while (ready < 2) t_sleep_ms(1);
    t_sleep_ms(1500);
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    return (double)count[1] / (double)(count[0] + count[1]);
}
int main(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    double equal = share((struct job){0, 0, 0}, (struct job){1, 0, 0});
    C(equal > 0.3 && equal < 0.7);
    double five = share((struct job){0, 0, 0}, (struct job){1, 5, 0}); // 335 of 1359
    C(five > 0.12 && five < 0.38);
    double ten = share((struct job){0, 0, 0}, (struct job){1, 10, 0}); // 110 of 1134
    C(ten > 0.02 && ten < 0.2);
    double idle = share((struct job){0, 0, 0}, (struct job){1, 0, SCHED_IDLE});
    C(idle < 0.1);
    return 0;
}
