// exit takes the low byte; atexit in reverse order; output is flushed.
#include "t.h"

static void first(void) { printf("first registered"); }
static void second(void) { puts("second registered"); }

int main(void) {
    atexit(first);
    atexit(second);
    printf("no newline, ");
    exit(0x1ff);
}
