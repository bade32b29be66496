// diff: libc=glibc
// Flags of open against kinds of files, as root and as somebody else.
#include "files.h"

static const struct { const char *name; int flags; } flags[] = {
    {"RDONLY", O_RDONLY}, {"WRONLY", O_WRONLY}, {"RDWR", O_RDWR}, {"3", 3}, {"CREAT", O_CREAT}, {"CREAT|WR", O_CREAT | O_WRONLY},
    {"CREAT|EXCL", O_CREAT | O_EXCL | O_RDWR}, {"EXCL", O_EXCL}, {"TRUNC", O_TRUNC}, {"TRUNC|WR", O_TRUNC | O_WRONLY},
    {"APPEND|WR", O_APPEND | O_WRONLY}, {"APPEND|TRUNC", O_APPEND | O_TRUNC | O_WRONLY}, {"NOFOLLOW", O_NOFOLLOW},
    {"NOFOLLOW|CREAT", O_NOFOLLOW | O_CREAT | O_RDWR}, {"DIRECTORY", O_DIRECTORY}, {"DIRECTORY|WR", O_DIRECTORY | O_WRONLY},
    {"DIRECTORY|CREAT", O_DIRECTORY | O_CREAT}, {"DIRECTORY|NOFOLLOW", O_DIRECTORY | O_NOFOLLOW}, {"PATH", O_PATH},
    {"PATH|NOFOLLOW", O_PATH | O_NOFOLLOW}, {"PATH|DIRECTORY", O_PATH | O_DIRECTORY}, {"PATH|CREAT", O_PATH | O_CREAT},
    {"PATH|TRUNC|WR", O_PATH | O_TRUNC | O_WRONLY}, {"TMPFILE", O_TMPFILE}, {"TMPFILE|WR", O_TMPFILE | O_WRONLY},
    {"TMPFILE|RDWR|EXCL", O_TMPFILE | O_RDWR | O_EXCL}, {"TMPFILE|CREAT", O_TMPFILE | O_CREAT | O_RDWR},
    {"NOATIME", O_NOATIME}, {"SYNC|WR", O_SYNC | O_WRONLY}, {"ASYNC", FASYNC}, {"NOCTTY", O_NOCTTY}, {"unknown", 0x40000000},
};
static const char *const names[] = {
    "file", "r", "w", "x", "none", "dir", "closed", "link", "dlink", "dangling", "loop", "fifo", "sock", "null", "missing",
};

static void tree(void) {
    f_make("file", "text", 0666); f_make("r", "text", 0444); f_make("w", "text", 0222); f_make("x", "text", 0111);
    f_make("none", "text", 0);
    mkdir("dir", 0777); chmod("dir", 0777); mkdir("closed", 0700);
    symlink("file", "link"); symlink("dir", "dlink"); symlink("missing", "dangling"); symlink("loop", "loop");
    mkfifo("fifo", 0666); chmod("fifo", 0666);
    mknod("sock", S_IFSOCK | 0666, 0); chmod("sock", 0666);
    mknod("null", S_IFCHR | 0666, 1 << 8 | 3); chmod("null", 0666);
    chmod("file", 0666);
}

static void row(int which) {
    printf("%s:", flags[which].name);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        // Device nodes work on one of the file systems only.
        if (!strcmp(names[at], "null") && !(flags[which].flags & O_PATH)) continue;
        int fd = open(names[at], flags[which].flags | O_NONBLOCK, 0640);
        printf(" %s=%s", names[at], f_word(fd));
        if (fd >= 0) {
            printf("/%o", fcntl(fd, F_GETFL) & ~(O_NONBLOCK | 0100000));
            close(fd);
        }
        if (at % 8 == 7) printf("\n ");
    }
    printf("\n");
    unlink("missing");
}

int main(void) {
    f_scratch();
    tree();
    for (size_t which = 0; which < sizeof flags / sizeof *flags; which++) row((int)which);
    AS(NOBODY, NOBODY) for (size_t which = 0; which < sizeof flags / sizeof *flags; which++) row((int)which);
    struct stat s;
    N((stat("file", &s), s.st_size));
    AS(NOBODY, NOBODY) {
        int fd = open("made", O_RDWR | O_CREAT, 0);
        C(fd >= 0); // open to its maker whatever the mode
        T(write(fd, "abc", 3));
        T(open("made", O_RDONLY));
        T(open("made", O_RDWR | O_CREAT, 0777));
        f_show("made");
        T(close(open("made2", O_WRONLY | O_CREAT, 07777)) );
        f_show("made2");
        umask(0777);
        T(close(open("made3", O_WRONLY | O_CREAT, 07777)));
        f_show("made3");
    }
    T(open(BAD, O_RDONLY));
    T(open(KERNEL, O_RDONLY));
    T(openat(-1, "file", O_RDONLY));
    T(openat(100, "file", O_RDONLY));
    int file = open("file", O_RDONLY);
    T(openat(file, "x", O_RDONLY));
    T(openat(file, "", O_RDONLY));
    T(openat(-1, "", O_RDONLY));
    T(close(openat(-1, "/", O_RDONLY)));
    return 0;
}
