// A thread that spins on a flag is preempted, so that another can set it. Also on one CPU, without any system call.
// diff: cpus=2
#include "t.h"

static volatile int flag, answer;
static void *setter(void *unused) {
    flag = 1;
    while (!answer) {}
    flag = 2;
    return unused;
}

int main(void) {
    pthread_t t[8];
    pthread_create(&t[0], NULL, setter, NULL);
    while (flag != 1) {}
    answer = 1;
    while (flag != 2) {}
    pthread_join(t[0], NULL);
    puts("both spun");
    return 0;
}
