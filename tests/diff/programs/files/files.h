// What the programs about files share: a directory that everybody may use, and blocks that run as somebody else.
#include "../t.h"
#include <grp.h>
#include <linux/capability.h>

#define NOBODY 65534u

// Goes to a new directory that everybody may write to. Programs see nothing but it, on tmpfs as on a disk.
static inline void f_scratch(void) {
    t_scratch();
    if (mkdir("w", 0777) != 0 || chmod("w", 0777) != 0 || chdir("w") != 0) perror("w"), exit(99);
}

// Forks a child with these ids and no capabilities but those of the user 0; the parent waits for its end.
static inline pid_t f_fork_as(unsigned uid, unsigned gid) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) _exit(98);
        printf("-- as %u:%u\n", uid, gid);
    } else {
        int status;
        if (waitpid(pid, &status, 0) != pid || status != 0) printf("-- ended with %#x\n", status);
    }
    return pid;
}

// Runs the block that follows in a child with these ids.
#define AS(uid, gid) if (f_fork_as(uid, gid) == 0) for (;; _exit(0))

// Makes these capabilities the effective ones, of those that are permitted.
static inline void f_capabilities(uint64_t set) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) != 0) perror("capget"), exit(99);
    data[0].effective = data[0].permitted & (uint32_t)set;
    data[1].effective = data[1].permitted & (uint32_t)(set >> 32);
    if (syscall(SYS_capset, &head, data) != 0) perror("capset"), exit(99);
}

#define CAP(name) (1ull << (name))

// "ok", or the name of the error, for rows of a table.
static inline const char *f_word(long result) { return result < 0 ? t_name(errno) : "ok"; }

// Mode, owners and links of a name, without following it.
static inline void f_show(const char *name) {
    struct stat s;
    if (lstat(name, &s) != 0) printf("%s: %s\n", name, t_name(errno));
    else printf("%s: %o %u:%u links %lu%s%lld\n", name, s.st_mode, s.st_uid, s.st_gid, (unsigned long)s.st_nlink,
                S_ISDIR(s.st_mode) ? " dir " : " size ", S_ISDIR(s.st_mode) ? 0ll : (long long)s.st_size);
}

static inline void f_make(const char *name, const char *contents, mode_t mode) {
    close(t_file(name, contents));
    if (chmod(name, mode) != 0) perror(name), exit(99);
}

// A path of so many bytes that leads to `tail`: "./././tail".
static inline char *f_long(size_t len, const char *tail) {
    char *path = malloc(len + 1);
    size_t at = 0, rest = strlen(tail);
    while (at + 2 + rest <= len) memcpy(path + at, "./", 2), at += 2;
    if (at + rest < len) path[at++] = '/';
    memcpy(path + at, tail, rest + 1);
    return path;
}
