// diff: libc=glibc; timeout=60
// As many names as a file may have, and what is told once there are too many.
#include "files.h"

int main(void) {
    f_scratch();
    f_make("f", "text", 0644);
    mkdir("d", 0755);
    char name[32];
    int made = 1;
    for (; made < 65100; made++) {
        snprintf(name, sizeof name, "d/%d", made);
        if (link("f", name) != 0) break;
    }
    printf("%d names: %s\n", made, made < 65100 ? t_name(errno) : "enough");
    struct stat s;
    T(stat("f", &s));
    N(s.st_nlink);
    T(link("f", "d/again"));
    T(link("d/1", "d/2"));
    T(rename("d/1", "d/other"));
    T(unlink("d/2"));
    T(link("f", "d/2"));
    T(stat("f", &s));
    N(s.st_nlink);
    for (int i = 2; i < made; i++) {
        snprintf(name, sizeof name, "d/%d", i);
        if (unlink(name) != 0) printf("%s: %s\n", name, t_name(errno));
    }
    T(stat("f", &s));
    N(s.st_nlink);
    T(unlink("d/other"));
    T(unlink("d/again"));
    T(rmdir("d"));
    return 0;
}
