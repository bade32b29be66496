// diff: libc=glibc
// Sticky directories: who may remove, rename and replace what.
#include "files.h"

static void fill(void) {
    close(open("s/theirs", O_CREAT | O_RDWR, 0666)); chown("s/theirs", 1000, 1000);
    close(open("s/mine", O_CREAT | O_RDWR, 0666)); chown("s/mine", 1001, 1001);
    mkdir("s/theirs.d", 0777); chown("s/theirs.d", 1000, 1000);
    mkdir("s/mine.d", 0777); chown("s/mine.d", 1001, 1001);
    close(open("o/f", O_CREAT | O_RDWR, 0666)); chown("o/f", 1001, 1001);
    chmod("s/theirs", 0666); chmod("s/mine", 0666);
}

static void act(void) {
    T(rename("s/theirs", "s/x")); T(rename("s/theirs", "o/x")); T(rename("o/f", "s/theirs")); T(rename("s/mine", "s/theirs"));
    T(syscall(SYS_renameat2, AT_FDCWD, "s/mine", AT_FDCWD, "s/theirs", 2));
    T(rename("s/mine", "s/moved")); T(rename("s/moved", "s/mine"));
    T(rename("s/theirs.d", "o/d")); T(rename("s/mine.d", "o/d")); T(rename("o/d", "s/mine.d"));
    T(link("s/theirs", "o/link")); T(unlink("o/link")); T(link("s/mine", "s/link")); T(unlink("s/link"));
    T(unlink("s/theirs")); T(rmdir("s/theirs.d")); T(unlink("s/mine")); T(rmdir("s/mine.d"));
    T(open("s/theirs", O_WRONLY | O_CREAT, 0666) >= 0 ? 0 : -1);
}

int main(void) {
    f_scratch();
    umask(0);
    mkdir("o", 0777);
    mkdir("s", 0777); chown("s", 1002, 1002); chmod("s", 01777);
    fill(); AS(1001, 1001) act();
    fill(); AS(1002, 1002) act();
    fill(); AS(1001, 1000) act();
    fill(); AS(0, 0) { f_capabilities(CAP(CAP_DAC_OVERRIDE)); act(); }
    fill(); AS(0, 0) { f_capabilities(CAP(CAP_FOWNER)); act(); }
    chown("s", 0, 0); chmod("s", 01755);
    fill(); AS(1001, 1001) act();
    f_make("sticky", "", 0644);
    T(chmod("sticky", 01644)); f_show("sticky");
    AS(1001, 1001) { f_make("o/plain", "", 0644); T(chmod("o/plain", 01644)); f_show("o/plain"); }
    return 0;
}
