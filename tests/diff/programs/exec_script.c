// #! scripts: the interpreter is this program; one argument; the script's path comes next.
#include "t.h"

int main(int argc, char **argv) {
    if (argc > 1) {
        N(argc);
        S(argv[1]); S(strrchr(argv[2], '/') ? strrchr(argv[2], '/') : argv[2]); S(argv[3]);
        C(argv[4] == NULL);
        return 5;
    }
    t_scratch();
    char exe[4096] = "", text[4200];
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    // The first line may be 256 bytes long, the program's own path may be longer.
    snprintf(text, sizeof text, "#! ./i  one argument with spaces \nrest\n");
    symlink(exe, "i");
    close(t_file("script", text));
    chmod("script", 0755);
    T(execv("./script", (char *[]){"ignored", "given", NULL}));
    return 1;
}
