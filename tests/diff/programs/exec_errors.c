// execve: every error leaves the process as it was.
#include "t.h"

int main(void) {
    t_scratch();
    char *args[] = {"x", NULL}, *none[] = {NULL};
    close(t_file("text", "not a program"));
    close(t_file("empty", ""));
    close(t_file("not-executable", "#!/bin/sh\n"));
    chmod("text", 0755);
    chmod("empty", 0755);
    mkdir("dir", 0755);
    symlink("loop", "loop");
    int fd = t_file("no-interpreter", "#!/nowhere/at/all\n");
    fchmod(fd, 0755);
    T(execve("no-interpreter", args, none)); // open for writing
    close(fd);
    T(execve("no-interpreter", args, none));
    T(execve("missing", args, none));
    T(execve("text", args, none));
    T(execve("empty", args, none));
    T(execve("not-executable", args, none));
    T(execve("dir", args, none));
    T(execve("dir/", args, none));
    T(execve("text/x", args, none));
    T(execve("loop", args, none));
    T(execve("", args, none));
    T(syscall(SYS_execve, BAD, args, none));
    T(syscall(SYS_execve, "text", BAD, none));
    T(syscall(SYS_execve, "text", args, BAD));
    static char long_name[5000];
    memset(long_name, 'n', 4999);
    T(execve(long_name, args, none));
    static char big[200000];
    memset(big, 'b', sizeof big - 1);
    char *too_long[] = {"x", big, NULL};
    T(execve("/proc/self/exe", too_long, none)); // one argument above 128 KiB
    big[100000] = 0;
    static char *many[101];
    for (int i = 0; i < 100; i++) many[i] = big;
    T(execve("/proc/self/exe", many, none)); // above a quarter of the stack's limit
    unsigned char elf[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    elf[16] = 2, elf[18] = 183; // for another machine
    fd = open("other-machine", O_CREAT | O_WRONLY, 0755);
    write(fd, elf, sizeof elf);
    close(fd);
    T(execve("other-machine", args, none));
    fd = open("cut", O_CREAT | O_WRONLY, 0755);
    write(fd, elf, 20);
    close(fd);
    T(execve("cut", args, none));
    T(syscall(SYS_execveat, -1, "text", args, none, 0));
    T(syscall(SYS_execveat, AT_FDCWD, "text", args, none, 0x8000));
    T(syscall(SYS_execveat, open("text", O_RDONLY), "", args, none, AT_EMPTY_PATH));
    puts("still alive");
    return 0;
}
