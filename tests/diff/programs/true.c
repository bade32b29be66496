// The smallest program: it says one thing and leaves with a status.
#include "t.h"

int main(void) {
    puts("hello from the enclave");
    return 7;
}
