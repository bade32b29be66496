// Every byte value passes unchanged.
#include "t.h"

int main(void) {
    unsigned char b[256];
    for (int i = 0; i < 256; i++) b[i] = i;
    for (int i = 0; i < 16; i++) write(1, b + i * 16, 16);
    write(2, b, 256);
    return 0;
}
