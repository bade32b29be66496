// rename and renameat2.
#include "t.h"
#define NOREPLACE 1
#define EXCHANGE 2
static long rename2(const char *from, const char *to, unsigned flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

int main(void) {
    t_scratch();
    close(t_file("a", "A"));
    close(t_file("b", "B"));
    mkdir("d", 0755);
    mkdir("e", 0755);
    close(t_file("d/in", "in"));
    T(rename("a", "b"));
    t_cat("a"); t_cat("b");
    T(rename("missing", "x"));
    T(rename("b", "no/x"));
    T(rename("b", "d"));
    T(rename("d", "b"));
    T(rename("d", "d/sub"));
    T(rename("d", "e"));
    t_cat("e/in");
    mkdir("d", 0755);
    T(rename("d", "e"));
    T(rename("b", "b"));
    T(rename("b", "c/"));
    T(rename("d", "f/"));
    T(rename("f", "."));
    T(rename("f/.", "g"));
    T(rename("f/..", "g"));
    T(rename("b/x", "g"));
    T(rename("", "g"));
    T(rename(BAD, "g"));
    T(rename("b", KERNEL));
    T(link("b", "b2"));
    T(rename("b", "b2")); // two names of one file: nothing happens
    t_cat("b"); t_cat("b2");
    symlink("b", "l");
    T(rename("l", "l2"));
    T(readlink("l2", (char[8]){0}, 8));
    close(t_file("p", "P"));
    T(rename2("b", "p", NOREPLACE));
    T(rename2("b", "q", NOREPLACE));
    T(rename2("q", "p", EXCHANGE));
    t_cat("q"); t_cat("p");
    T(rename2("q", "e", EXCHANGE));
    t_cat("e"); t_cat("q/in");
    T(rename2("q", "none", EXCHANGE));
    T(rename2("q", "q/in", EXCHANGE));
    T(rename2("p", "e", NOREPLACE | EXCHANGE));
    T(rename2("p", "e", 64));
    T(renameat(-1, "p", AT_FDCWD, "x"));
    T(rename("/", "/x"));
    return 0;
}
