// diff: libc=glibc
// Access control lists (acl(5)): forms that are taken, what they permit, chmod, inheritance, errors in order.
#include "files.h"
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

enum { UO = 1, U = 2, GO = 4, G = 8, M = 16, O = 32 };
struct entry { uint16_t tag, perm; uint32_t id; };
struct list { uint32_t version; struct entry entries[8]; };

#define NO 0xffffffffu
#define LIST(...) (&(struct list){2, {__VA_ARGS__}}), (sizeof(struct entry[]){__VA_ARGS__}) + 4
#define MINIMAL {UO, 6, NO}, {GO, 4, NO}, {O, 0, NO}

// Prints a list as getfacl(1) would, on one line.
static void show(const char *name, const char *kind) {
    struct list list;
    long len = getxattr(name, kind, &list, sizeof list);
    printf("%s %s:", name, strchr(kind, '_') + 5);
    if (len < 0) printf(" %s", t_name(errno));
    for (long i = 0; i < (len - 4) / 8; i++) {
        struct entry e = list.entries[i];
        const char *tag = e.tag == UO || e.tag == U ? "u" : e.tag == GO || e.tag == G ? "g" : e.tag == M ? "m" : "o";
        printf(" %s:", tag);
        if (e.id != NO) printf("%u", e.id);
        printf(":%c%c%c", e.perm & 4 ? 'r' : '-', e.perm & 2 ? 'w' : '-', e.perm & 1 ? 'x' : '-');
    }
    printf("\n");
}

static void names(const char *name) {
    char all[256];
    long len = listxattr(name, all, sizeof all);
    int access = 0, defaults = 0;
    for (char *at = all; len > 0 && at < all + len; at += strlen(at) + 1)
        access += !strcmp(at, ACCESS), defaults += !strcmp(at, DEFAULT);
    printf("%s lists access %d default %d\n", name, access, defaults);
}

static void forms(void) {
    f_make("f", "x", 0640);
    mkdir("d", 0750);
    symlink("f", "l");
    mkfifo("p", 0600);
    T(getxattr("f", ACCESS, NULL, 0));
    T(getxattr("f", DEFAULT, NULL, 0));
    T(getxattr("d", DEFAULT, NULL, 0));
    T(lgetxattr("l", ACCESS, NULL, 0));
    T(getxattr("p", ACCESS, NULL, 0));
    T(setxattr("f", ACCESS, LIST(MINIMAL), 0));
    names("f");
    show("f", ACCESS);
    f_show("f");
    // Nothing but the three bytes of a version; another version; a piece too much; no entries.
    T(setxattr("f", ACCESS, "\2\0\0", 3, 0));
    T(setxattr("f", ACCESS, "\1\0\0\0", 4, 0));
    T(setxattr("f", ACCESS, "\2\0\0\0\1", 5, 0));
    T(setxattr("f", ACCESS, "\2\0\0\0", 4, 0));
    T(setxattr("f", ACCESS, "", 0, 0));
    T(setxattr("f", ACCESS, LIST({UO, 6, NO}, {GO, 4, NO}), 0));
    T(setxattr("f", ACCESS, LIST({GO, 4, NO}, {UO, 6, NO}, {O, 0, NO}), 0));
    T(setxattr("f", ACCESS, LIST({UO, 8, NO}, {GO, 4, NO}, {O, 0, NO}), 0));
    T(setxattr("f", ACCESS, LIST({UO, 6, NO}, {U, 6, 7}, {GO, 4, NO}, {O, 0, NO}), 0));
    T(setxattr("f", ACCESS, LIST({UO, 6, NO}, {U, 6, NO}, {GO, 4, NO}, {M, 4, NO}, {O, 0, NO}), 0));
    T(setxattr("f", ACCESS, LIST({UO, 6, NO}, {GO, 4, NO}, {M, 4, NO}, {M, 4, NO}, {O, 0, NO}), 0));
    T(setxattr("f", ACCESS, LIST({UO, 6, NO}, {GO, 4, NO}, {64, 4, NO}, {O, 0, NO}), 0));
    T(setxattr("f", DEFAULT, LIST(MINIMAL), 0));
    T(setxattr("f", DEFAULT, "", 0, 0));
    T(lsetxattr("l", ACCESS, LIST(MINIMAL), 0));
    T(lremovexattr("l", ACCESS));
    T(setxattr("p", ACCESS, LIST(MINIMAL), 0));
    // The flags of setxattr say nothing here, but must be known ones.
    T(setxattr("f", ACCESS, LIST(MINIMAL), XATTR_REPLACE));
    T(setxattr("f", ACCESS, LIST({UO, 7, NO}, {U, 6, 7}, {U, 5, 7}, {GO, 4, NO}, {M, 6, NO}, {O, 1, NO}), 0));
    T(setxattr("f", ACCESS, LIST(MINIMAL), XATTR_CREATE));
    T(setxattr("f", ACCESS, LIST(MINIMAL), 4));
    T(setxattr("f", "system.posix_acl", LIST(MINIMAL), 0));
    T(setxattr("f", "system.posix_acl_accessx", LIST(MINIMAL), 0));
    T(removexattr("f", ACCESS));
    T(removexattr("d", DEFAULT));
    T(setxattr("f", ACCESS, LIST({UO, 7, NO}, {U, 6, 7}, {GO, 4, NO}, {G, 2, 9}, {M, 6, NO}, {O, 1, NO}), 0));
    T(getxattr("f", ACCESS, NULL, 0));
    char small[10];
    T(getxattr("f", ACCESS, small, sizeof small));
    names("f");
    show("f", ACCESS);
    f_show("f");
    T(removexattr("f", ACCESS));
    names("f");
    f_show("f");
}

// What a row of users may do with a file.
static void may(const char *name, unsigned uid, unsigned gid, gid_t extra) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(extra ? 1 : 0, &extra) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) _exit(98);
        printf("%s for %u:%u+%u:", name, uid, gid, extra);
        for (int want = 1; want < 8; want++) printf(" %d %s", want, f_word(access(name, want)));
        printf(" open %s\n", f_word(open(name, O_RDWR)));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void permits(const char *name) {
    may(name, 1000, 50, 0);
    may(name, 7, 50, 0);
    may(name, 8, 50, 0);
    may(name, 8, 60, 0);
    may(name, 8, 70, 0);
    may(name, 8, 60, 70);
    may(name, 9, 99, 0);
    may(name, 0, 0, 0);
}

static void rights(void) {
    f_make("r", "x", 0600);
    chown("r", 1000, 60);
    struct { const char *what; struct list list; int len; } rows[] = {
        {"users and groups", {2, {{UO, 4, NO}, {U, 6, 7}, {GO, 4, NO}, {G, 2, 70}, {M, 7, NO}, {O, 1, NO}}}, 6},
        {"a narrow mask", {2, {{UO, 7, NO}, {U, 7, 7}, {GO, 7, NO}, {G, 7, 70}, {M, 4, NO}, {O, 6, NO}}}, 6},
        {"an empty mask", {2, {{UO, 7, NO}, {U, 7, 7}, {GO, 7, NO}, {G, 7, 70}, {M, 0, NO}, {O, 4, NO}}}, 6},
        {"a mask alone", {2, {{UO, 6, NO}, {GO, 6, NO}, {M, 4, NO}, {O, 0, NO}}}, 4},
        {"nothing for a user", {2, {{UO, 6, NO}, {U, 0, 7}, {GO, 6, NO}, {M, 6, NO}, {O, 6, NO}}}, 5},
        {"nothing for a group", {2, {{UO, 6, NO}, {GO, 6, NO}, {G, 0, 70}, {M, 6, NO}, {O, 6, NO}}}, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("-- %s: %s\n", rows[i].what, f_word(setxattr("r", ACCESS, &rows[i].list, 4 + 8 * rows[i].len, 0)));
        f_show("r");
        permits("r");
    }
    // Directories: names in them.
    mkdir("rd", 0700);
    f_make("rd/x", "x", 0666);
    T(setxattr("rd", ACCESS, LIST({UO, 7, NO}, {U, 7, 7}, {GO, 0, NO}, {M, 7, NO}, {O, 0, NO}), 0));
    AS(7, 50) {
        T(close(open("rd/new", O_CREAT | O_WRONLY, 0600)));
        T(unlink("rd/x"));
        T(setxattr("r", ACCESS, LIST(MINIMAL), 0));
        T(setxattr("rd", DEFAULT, LIST(MINIMAL), 0));
        T(setxattr("r", DEFAULT, LIST(MINIMAL), 0));
        T(removexattr("r", ACCESS));
        T(setxattr("r", ACCESS, "\1\0\0\0", 4, 0));
        show("r", ACCESS);
    }
    AS(8, 50) T(open("rd/new", O_RDONLY));
}

static void modes(void) {
    f_make("m", "x", 0644);
    T(setxattr("m", ACCESS, LIST({UO, 6, NO}, {U, 7, 7}, {GO, 4, NO}, {M, 7, NO}, {O, 4, NO}), 0));
    f_show("m");
    T(chmod("m", 0501));
    show("m", ACCESS);
    f_show("m");
    T(chmod("m", 04770));
    show("m", ACCESS);
    f_show("m");
    T(chown("m", 3, 4));
    show("m", ACCESS);
    f_show("m");
    T(setxattr("m", ACCESS, LIST({UO, 7, NO}, {GO, 5, NO}, {O, 1, NO}), 0));
    names("m");
    f_show("m");
    // The set-group-ID bit goes where the owner is no member of the group.
    f_make("g", "x", 0644);
    chown("g", 7, 99);
    chmod("g", 02755);
    AS(7, 50) T(setxattr("g", ACCESS, LIST({UO, 7, NO}, {GO, 5, NO}, {O, 1, NO}), 0));
    f_show("g");
}

static void inheritance(void) {
    mkdir("i", 0755);
    T(setxattr("i", DEFAULT, LIST({UO, 7, NO}, {U, 7, 7}, {GO, 7, NO}, {M, 7, NO}, {O, 5, NO}), 0));
    names("i");
    f_show("i");
    for (int mask = 0; mask < 2; mask++) {
        umask(mask ? 077 : 022);
        close(open("i/f", O_CREAT | O_WRONLY, 0666));
        mkdir("i/d", 0777);
        mkdir("i/e", 0700);
        mknod("i/n", S_IFREG | 0604, 0);
        mkfifo("i/p", 0666);
        symlink("f", "i/l");
        const char *made[] = {"i/f", "i/d", "i/e", "i/n", "i/p", "i/l"};
        for (int i = 0; i < 6; i++) {
            f_show(made[i]);
            show(made[i], ACCESS);
            show(made[i], DEFAULT);
        }
        int fd = open("i", O_TMPFILE | O_RDWR, 0666);
        if (fd >= 0) {
            struct stat s;
            fstat(fd, &s);
            printf("unnamed: %o, %ld bytes of list\n", s.st_mode, (long)fgetxattr(fd, ACCESS, NULL, 0));
            close(fd);
        }
        close(open("i/d/deeper", O_CREAT | O_WRONLY, 0666));
        f_show("i/d/deeper");
        unlink("i/d/deeper");
        for (int i = 0; i < 6; i++) remove(made[i]);
    }
    umask(022);
    // A default list that the mode can say leaves no list behind.
    T(setxattr("i", DEFAULT, LIST({UO, 7, NO}, {GO, 7, NO}, {O, 4, NO}), 0));
    close(open("i/f", O_CREAT | O_WRONLY, 0666));
    f_show("i/f");
    names("i/f");
    mkdir("i/d", 0777);
    f_show("i/d");
    names("i/d");
    T(removexattr("i", DEFAULT));
    T(removexattr("i", DEFAULT));
    names("i");
    // Renaming and linking change no list.
    T(setxattr("i", DEFAULT, LIST({UO, 7, NO}, {U, 7, 7}, {GO, 7, NO}, {M, 7, NO}, {O, 5, NO}), 0));
    f_make("o", "x", 0600);
    T(rename("o", "i/o"));
    f_show("i/o");
    names("i/o");
}

int main(void) {
    f_scratch();
    forms();
    rights();
    modes();
    inheritance();
    return 0;
}
