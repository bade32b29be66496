// Ids and capabilities belong to a thread: it is the C library that keeps those of a process alike. Raw calls here.
// diff: libc=glibc
#include "../t.h"
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void show(const char *who) {
    uid_t u[3];
    gid_t g[3];
    syscall(SYS_getresuid, &u[0], &u[1], &u[2]); syscall(SYS_getresgid, &g[0], &g[1], &g[2]);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};
    syscall(SYS_capget, &header, data);
    printf("%s: %d %d %d, %d %d %d, %s, groups %ld, file %s\n", who, u[0], u[1], u[2], g[0], g[1], g[2], data[0].effective ? "capable" : "not capable",
           syscall(SYS_getgroups, 0, NULL), open("secret", O_RDONLY) < 0 ? t_name(errno) : "open");
}
static void status(const char *who, const char *path) {
    char line[256];
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) if (!strncmp(line, "Uid:", 4) || !strncmp(line, "Groups:", 7)) printf("%s %s", who, line);
    if (f) fclose(f);
}
static void *inner(void *name) { show(name); return NULL; }
static void *plain(void *arg) {
    pthread_barrier_t *both = arg;
    show("bystander, before");
    pthread_barrier_wait(both); pthread_barrier_wait(both);
    show("bystander, after");
    return NULL;
}
static void *changes(void *arg) {
    pthread_barrier_t *both = arg;
    pthread_t made;
    int status_of;
    pthread_barrier_wait(both);
    T(syscall(SYS_setgroups, 0, NULL)); T(syscall(SYS_setresgid, 3000, 3000, 3000)); T(syscall(SYS_setresuid, 2000, 2001, 2002));
    show("changed");
    T(syscall(SYS_setresuid, 0, 0, 0)); T(syscall(SYS_setresuid, -1, 2002, -1)); T(chown("secret", 1, 1));
    T(syscall(SYS_setfsuid, 2000)); T(syscall(SYS_setfsuid, -1));
    status("changed", "/proc/thread-self/status");
    pthread_create(&made, NULL, inner, "made by it"); pthread_join(made, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (!child) { show("its child"); status("its child", "/proc/self/status"); fflush(stdout); _exit(0); }
    waitpid(child, &status_of, 0);
    T(access("secret", R_OK)); T(open("made", O_CREAT | O_WRONLY, 0600) >= 0);
    pthread_barrier_wait(both);
    return NULL;
}
int main(void) {
    t_scratch();
    chmod(".", 0777);
    close(t_file("secret", "x")); chmod("secret", 0600);
    gid_t groups[] = {7, 8};
    syscall(SYS_setgroups, 2, groups);
    pthread_barrier_t both;
    pthread_barrier_init(&both, NULL, 2);
    pthread_t one, two;
    pthread_create(&one, NULL, plain, &both);
    t_sleep_ms(20);
    pthread_create(&two, NULL, changes, &both);
    pthread_join(one, NULL); pthread_join(two, NULL);
    show("first");
    status("first", "/proc/self/status");
    struct stat st;
    stat("made", &st);
    printf("made by %d %d\n", st.st_uid, st.st_gid);
    T(prctl(PR_GET_KEEPCAPS));
    // The first thread changes its own, while another runs.
    pthread_barrier_init(&both, NULL, 2);
    pthread_create(&one, NULL, plain, &both);
    pthread_barrier_wait(&both);
    T(syscall(SYS_setresuid, 4000, 4000, 4000));
    show("first"); status("first", "/proc/self/status");
    pthread_barrier_wait(&both);
    pthread_join(one, NULL);
    show("first");
    return 0;
}
