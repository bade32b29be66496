// diff: libc=glibc
// Each capability that concerns files, alone and missing.
#include "files.h"
#include <sys/xattr.h>

static void look(void) {
    printf(" chmod=%s", f_word(chmod("theirs", 0644)));
    printf(" chown=%s chgrp=%s lchown=%s", f_word(chown("theirs", 2, 2)), f_word(chown("theirs", -1, 7)), f_word(lchown("l", 3, 3)));
    printf(" give=%s mygroup=%s", f_word(chown("mine", 1000, -1)), f_word(chown("mine", -1, 9)));
    struct timespec past[2] = {{1, 0}, {2, 0}};
    printf(" times=%s now=%s", f_word(utimensat(AT_FDCWD, "theirs", past, 0)), f_word(utimensat(AT_FDCWD, "theirs", NULL, 0)));
    printf(" read=%s write=%s", f_word(open("secret", O_RDONLY)), f_word(open("secret", O_WRONLY)));
    printf(" search=%s add=%s", f_word(access("secret.d/in", F_OK)), f_word(mkdir("secret.d/new", 0700)));
    rmdir("secret.d/new");
    printf(" noatime=%s", f_word(open("world", O_RDONLY | O_NOATIME)));
    printf(" mknod c=%s b=%s p=%s white=%s", f_word(mknod("c", S_IFCHR | 0600, 0x103)), f_word(mknod("b", S_IFBLK | 0600, 0x700)),
           f_word(mknod("p", S_IFIFO | 0600, 0)), f_word(mknod("white", S_IFCHR | 0600, 0)));
    unlink("c"), unlink("b"), unlink("p"), unlink("white");
    printf(" sticky=%s", f_word(unlink("sticky/in")));
    printf(" trusted=%s security=%s user=%s", f_word(setxattr("world", "trusted.a", "1", 1, 0)),
           f_word(setxattr("world", "security.a", "1", 1, 0)), f_word(setxattr("world", "user.a", "1", 1, 0)));
    printf(" get=%s %s", f_word(getxattr("world", "trusted.a", NULL, 0)), f_word(getxattr("world", "security.a", NULL, 0)));
    printf(" chroot=%s", f_word(chroot("nowhere")));
    printf(" link=%s", f_word(linkat(AT_FDCWD, "theirs", AT_FDCWD, "linked", 0)));
    unlink("linked");
    int fd = open("world", O_RDONLY);
    printf(" empty=%s", f_word(linkat(fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH)));
    unlink("linked");
    close(fd);
    struct stat s;
    chmod("setgid", 02755);
    printf(" setgid=%o\n", stat("setgid", &s) ? 0 : s.st_mode);
}

static void one(const char *name, uint64_t set) {
    chown("theirs", 1000, 1000); chmod("theirs", 0600);
    chown("setgid", 0, 4000); chmod("setgid", 0755); chown("mine", 0, 0);
    close(open("sticky/in", O_CREAT | O_RDWR, 0600)); chown("sticky/in", 1000, 1000);
    removexattr("world", "trusted.a"); removexattr("world", "security.a"); removexattr("world", "user.a");
    fflush(stdout);
    if (fork() == 0) {
        setgroups(0, NULL);
        f_capabilities(set);
        printf("%s:", name);
        look();
        _exit(0);
    }
    int status;
    wait(&status);
    if (status) printf("%#x\n", status);
}

int main(void) {
    f_scratch();
    f_make("theirs", "x", 0600); f_make("mine", "x", 0600); f_make("secret", "x", 0); f_make("setgid", "x", 0755); f_make("world", "x", 0666);
    chown("secret", 1000, 1000); chown("world", 1000, 1000);
    symlink("x", "l"); lchown("l", 1000, 1000);
    mkdir("secret.d", 0700); f_make("secret.d/in", "", 0666); chown("secret.d", 1000, 1000); chmod("secret.d", 0);
    mkdir("sticky", 0777); chown("sticky", 1001, 1001); chmod("sticky", 01777);
#define ONE(cap) one(#cap, CAP(cap)); one("all but " #cap, ~CAP(cap))
    one("none", 0);
    ONE(CAP_CHOWN); ONE(CAP_DAC_OVERRIDE); ONE(CAP_DAC_READ_SEARCH); ONE(CAP_FOWNER); ONE(CAP_FSETID); ONE(CAP_MKNOD);
    ONE(CAP_SYS_ADMIN); ONE(CAP_SYS_CHROOT); ONE(CAP_LINUX_IMMUTABLE); ONE(CAP_SETFCAP);
    return 0;
}
