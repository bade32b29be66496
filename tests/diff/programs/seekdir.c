// telldir and seekdir come back to the same entry, also when others went.
#include "t.h"
#include <dirent.h>

int main(void) {
    t_scratch();
    mkdir("dir", 0755);
    chdir("dir");
    char name[16], at[32][256] = {{0}};
    long place[32];
    for (int i = 0; i < 20; i++) { snprintf(name, sizeof name, "f%02d", i); close(open(name, O_CREAT | O_WRONLY, 0644)); }
    DIR *dir = opendir(".");
    int n = 0, same = 0;
    for (;;) {
        long where = telldir(dir);
        struct dirent *e = readdir(dir);
        if (!e || n == 32) break;
        place[n] = where;
        strcpy(at[n++], e->d_name);
    }
    N(n);
    for (int i = n - 1; i >= 0; i--) {
        seekdir(dir, place[i]);
        struct dirent *e = readdir(dir);
        same += e && strcmp(e->d_name, at[i]) == 0;
    }
    N(same);
    int last = n - 1;
    while (strncmp(at[last], "f", 1) != 0) last--;
    for (int i = 0; i < last; i++) if (at[i][0] == 'f') unlink(at[i]);
    seekdir(dir, place[last]);
    struct dirent *e = readdir(dir);
    C(e && strcmp(e->d_name, at[last]) == 0);
    rewinddir(dir);
    for (n = 0; readdir(dir);) n++;
    N(n);
    C(dirfd(dir) >= 3);
    T(closedir(dir));
    return 0;
}
