// Much data through a terminal, both ways, and lines that are too long.
// diff: cpus=2
#include "tty.h"

static void *reader(void *sum) {
    char buffer[5000];
    long n, total = 0, hash = 0;
    while (total < 200000 && (n = read(master, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < n; i++, total++) hash = hash * 31 + buffer[i];
    *(long *)sum = hash;
    return NULL;
}
static void *typist(void *unused) {
    (void)unused;
    char c;
    for (int i = 0; i < 100000; i++) { c = 'a' + i % 26; if (write(master, &c, 1) != 1) break; }
    return NULL;
}

int main(void) {
    y_open();
    Y_MODES(cfmakeraw(&m));
    pthread_t t;
    long sum = 0, n, total = 0, hash = 0;
    pthread_create(&t, NULL, reader, &sum);
    char *text = malloc(200000);
    for (int i = 0; i < 200000; i++) text[i] = i * 7, hash = hash * 31 + text[i];
    for (total = 0; total < 200000; total += n)
        if ((n = write(slave, text + total, 200000 - total)) <= 0) break;
    pthread_join(t, NULL);
    C(sum == hash && total == 200000);
    pthread_create(&t, NULL, typist, NULL);
    char buffer[3000];
    int wrong = 0;
    for (total = 0; total < 100000;) {
        if ((n = read(slave, buffer, sizeof buffer)) <= 0) break;
        for (long i = 0; i < n; i++, total++) wrong += buffer[i] != 'a' + total % 26;
    }
    pthread_join(t, NULL);
    N(wrong); N(total);
    Y_MODES(m.c_lflag = ICANON; m.c_iflag = 0);
    memset(text, 'x', 6000);
    write(master, text, 6000), write(master, "\n", 1);
    n = read(slave, text, 9000);
    N(n); C(text[n - 1] == '\n');
    y_type("next\n");
    y_read("next", slave, 100);
    return 0;
}
