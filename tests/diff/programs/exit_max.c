// The highest exit status.
#include "t.h"

int main(void) { return -1; }
