// diff: libc=glibc
// What owner, group and others may do to files of each mode, and root without and with its capabilities.
#include "files.h"

static void look(const char *who) {
    for (int mode = 0; mode < 8; mode++) {
        for (int class = 0; class < 3; class++) {
            char name[8], dir[16];
            sprintf(name, "f%d%d", class, mode);
            sprintf(dir, "d%d%d", class, mode);
            printf("%s %s:", who, name);
            int fd = open(name, O_RDONLY); printf(" r=%s", f_word(fd)); close(fd);
            fd = open(name, O_WRONLY); printf(" w=%s", f_word(fd)); close(fd);
            fd = open(name, O_RDWR); printf(" rw=%s", f_word(fd)); close(fd);
            printf(" R=%s W=%s X=%s", f_word(access(name, R_OK)), f_word(access(name, W_OK)), f_word(access(name, X_OK)));
            printf(" x=%s t=%s", f_word(execl(name, name, NULL)), f_word(truncate(name, 4)));
            printf(" u=%s", f_word(utimensat(AT_FDCWD, name, NULL, 0)));
            char in[32], new[32];
            sprintf(in, "%s/in", dir);
            sprintf(new, "%s/new", dir);
            struct stat s;
            fd = open(dir, O_RDONLY | O_DIRECTORY);
            printf(" ls=%s", f_word(fd));
            close(fd);
            printf(" search=%s", f_word(stat(in, &s)));
            printf(" make=%s", f_word(mkdir(new, 0777)));
            printf(" gone=%s miss=%s\n", f_word(rmdir(new)), f_word(unlink(new)));
        }
    }
}

int main(void) {
    f_scratch();
    umask(0);
    for (int mode = 0; mode < 8; mode++) {
        for (int class = 0; class < 3; class++) {
            char name[8], dir[8], in[16];
            sprintf(name, "f%d%d", class, mode);
            f_make(name, "text", mode << (6 - 3 * class));
            chown(name, 1000, 2000);
            sprintf(dir, "d%d%d", class, mode);
            mkdir(dir, 0700);
            sprintf(in, "%s/in", dir);
            f_make(in, "", 0644);
            chown(dir, 1000, 2000);
            chmod(dir, mode << (6 - 3 * class));
        }
    }
    AS(1000, 1) look("owner");
    AS(1001, 2000) look("group");
    AS(1001, 1) look("other");
    AS(0, 0) look("root");
    AS(0, 0) { f_capabilities(0); look("bare root"); }
    AS(0, 0) { f_capabilities(CAP(CAP_DAC_READ_SEARCH)); look("DAC_READ_SEARCH"); }
    AS(0, 0) { f_capabilities(CAP(CAP_DAC_OVERRIDE)); look("DAC_OVERRIDE"); }
    AS(0, 0) { f_capabilities(CAP(CAP_FOWNER)); look("FOWNER"); }
    fflush(stdout);
    if (fork() == 0) {
        gid_t groups[] = {5, 2000};
        setgroups(2, groups);
        setresgid(1, 1, 1), setresuid(1001, 1001, 1001);
        look("member");
        _exit(0);
    }
    wait(NULL);
    return 0;
}
