// diff: timeout=60; libc=glibc
// Rename of each kind onto each kind, with each flag; of non-empty directories, into subtrees, and links of one inode.
#include "files.h"

static const char *const kinds[] = {"file", "empty", "full", "link", "dlink", "fifo", "none", "hard"};
enum { NOREPLACE = 1, EXCHANGE = 2, WHITEOUT = 4 };

static void make(const char *dir, int kind) {
    char name[64];
    sprintf(name, "%s/%s", dir, kinds[kind]);
    switch (kind) {
    case 0: close(t_file(name, "f")); break;
    case 1: mkdir(name, 0755); break;
    case 2: mkdir(name, 0755); strcat(name, "/in"); close(t_file(name, "in")); break;
    case 3: symlink("target", name); break;
    case 4: symlink("..", name); break;
    case 5: mkfifo(name, 0644); break;
    case 7: link("base", name); break;
    }
}

static void drop(const char *dir, int kind) {
    char name[64], in[80];
    sprintf(name, "%s/%s", dir, kinds[kind]);
    sprintf(in, "%s/in", name);
    unlink(in), unlink(name), rmdir(name);
}

int main(void) {
    f_scratch();
    mkdir("a", 0755); mkdir("b", 0755);
    close(t_file("base", "base"));
    for (unsigned flags = 0; flags < 9; flags++) {
        for (int from = 0; from < 8; from++) {
            printf("flags %u %s to", flags, kinds[from]);
            for (int to = 0; to < 8; to++) {
                make("a", from), make("b", to);
                char old[64], new[64];
                sprintf(old, "a/%s", kinds[from]), sprintf(new, "b/%s", kinds[to]);
                struct stat f, t, g, u;
                int had = lstat(old, &f) == 0, there = lstat(new, &t) == 0;
                long result = syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags);
                printf(" %s=%s", kinds[to], f_word(result));
                int has = lstat(old, &g) == 0, is = lstat(new, &u) == 0;
                printf("%s%s", has ? had && g.st_ino == f.st_ino ? "(stays" : "(other" : "(gone",
                       is ? had && u.st_ino == f.st_ino ? ",moved)" : there && u.st_ino == t.st_ino ? ",kept)" : ",new)" : ",none)");
                if (has && S_ISCHR(g.st_mode)) printf("white %d", (int)g.st_rdev);
                for (int kind = 0; kind < 8; kind++) drop("a", kind), drop("b", kind);
                unlink(old), unlink(new);
            }
            printf("\n");
        }
    }
    struct stat s;
    mkdir("d", 0755); mkdir("d/e", 0755); mkdir("d/e/f", 0755); mkdir("x", 0755);
    T(rename("d", "d/e")); T(rename("d", "d/e/f/g")); T(rename("d", "d")); T(rename("d/e", "d")); T(rename("d/e/f", "d")); T(rename("d/e", "d/e"));
    T(syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "d/e", EXCHANGE)); T(syscall(SYS_renameat2, AT_FDCWD, "d/e", AT_FDCWD, "d", EXCHANGE));
    T(syscall(SYS_renameat2, AT_FDCWD, "d/e", AT_FDCWD, "x", EXCHANGE)); f_show("x"); f_show("d/e"); f_show("d"); C(stat("x/f", &s) == 0);
    T(rename("d", "y/")); T(rename("y//", "d")); T(rename("base", "base2/")); T(rename("base/", "base2")); T(rename("base", "d/")); T(rename("d/", "base"));
    T(rename("base", "")); T(rename("", "base")); T(rename("base", BAD)); T(rename(BAD, "base"));
    T(syscall(SYS_renameat2, -1, "base", AT_FDCWD, "n", 0)); T(syscall(SYS_renameat2, AT_FDCWD, "base", -1, "n", 0)); T(syscall(SYS_renameat2, AT_FDCWD, "base", -1, "n", 100));
    int dir = open("d", O_RDONLY), file = open("base", O_RDONLY), path = open("d", O_PATH);
    T(renameat(AT_FDCWD, "base", dir, "in")); T(renameat(dir, "in", AT_FDCWD, "base")); T(renameat(file, "x", AT_FDCWD, "base")); T(renameat(path, "e", path, "e2"));
    f_show("d/e2");
    // The replaced one lives on for who has it open.
    int old = open("base", O_RDWR);
    close(t_file("newer", "newer")); T(rename("newer", "base")); t_cat("base"); fstat(old, &s); N(s.st_nlink); T(write(old, "zz", 2));
    // ".." of a moved directory
    struct stat up, x;
    mkdir("m", 0755); mkdir("m/n", 0755); rename("m/n", "x/n"); stat("x/n/..", &up); stat("x", &x); C(up.st_ino == x.st_ino); f_show("m"); f_show("x");
    chdir("x/n"); rmdir("../../m"); T(rename("../n", "../../n")); stat("..", &up); stat("../w", &x); chdir("..");
    // permissions: a directory that moves is written to
    mkdir("p", 0777); chmod("p", 0777); mkdir("q", 0777); chmod("q", 0777); mkdir("p/own", 0755); chown("p/own", NOBODY, NOBODY);
    mkdir("p/ro", 0555); chown("p/ro", NOBODY, NOBODY); mkdir("p/theirs", 0755); mkdir("r", 0755); close(t_file("r/f", ""));
    AS(NOBODY, NOBODY) {
        T(rename("p/own", "q/own")); T(rename("p/ro", "q/ro")); T(rename("p/ro", "p/ro2")); T(rename("p/theirs", "q/t")); T(rename("p/theirs", "p/t"));
        T(rename("r/f", "p/f")); T(rename("q/own", "r/own")); T(rename("r/none", "p/f")); T(rename("q/own", "r/f"));
    }
    return 0;
}
