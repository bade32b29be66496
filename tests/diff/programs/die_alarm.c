// alarm without a handler ends a thread that spins in user mode: 142.
#include "t.h"

int main(void) {
    puts("before");
    alarm(1);
    for (volatile long i = 0;; i++) {}
}
