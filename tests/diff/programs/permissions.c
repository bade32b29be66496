// What an ordinary user may not do.
#include "t.h"
#include <grp.h>

int main(void) {
    t_scratch();
    mkdir("open", 0777); chmod("open", 0777);
    mkdir("closed", 0700);
    close(t_file("closed/file", "x"));
    close(t_file("secret", "x")); chmod("secret", 0600);
    close(t_file("group", "x")); chmod("group", 0640); chown("group", 0, 2000);
    mkdir("sticky", 01777); chmod("sticky", 01777);
    close(t_file("sticky/roots", "x"));
    chmod(".", 0755);
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    T(setgroups(1, (gid_t[]){2000}));
    T(setresgid(1000, 1000, 1000));
    T(setresuid(1000, 1000, 1000));
    fchdir(dir);
    T(open("secret", O_RDONLY));
    T(access("secret", F_OK));
    T(access("secret", R_OK));
    T(access("group", R_OK));
    T(access("group", W_OK));
    T(open("group", O_RDWR));
    T(close(open("group", O_RDONLY)));
    T(open("closed/file", O_RDONLY));
    T(access("closed/file", F_OK));
    T(chdir("closed"));
    T(open("new", O_CREAT | O_WRONLY, 0644));
    T(mkdir("new", 0755));
    T(unlink("secret"));
    T(unlink("sticky/roots"));
    T(rename("sticky/roots", "sticky/x"));
    T(chmod("secret", 0777));
    T(chown("secret", 1000, 1000));
    int fd = T(open("open/mine", O_CREAT | O_RDWR, 0644));
    T(fchown(fd, 1001, -1));
    T(fchown(fd, -1, 2000));
    T(fchown(fd, -1, 3000));
    T(fchmod(fd, 06755));
    T(write(fd, "x", 1));
    struct stat st;
    fstat(fd, &st);
    N(st.st_mode & 07777); // set-id bits went with the write
    T(truncate("secret", 0));
    T(utimensat(AT_FDCWD, "secret", NULL, 0));
    T(link("secret", "open/link"));
    T(setuid(0));
    T(setgid(0));
    T(setgroups(0, NULL));
    T(unlink("open/mine"));
    return 0;
}
