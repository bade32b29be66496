// Policies of memory on a machine of one node, and advice for another process.
#include "../t.h"

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, STATIC = 1 << 15, RELATIVE = 1 << 14 };

static void current(const char *when, void *addr, int flags) {
    int mode = -1;
    unsigned long nodes[16] = {~0ul};
    long result = syscall(SYS_get_mempolicy, &mode, nodes, 1024, addr, flags);
    if (result < 0)
        printf("%s: %s\n", when, t_name(errno));
    else
        printf("%s: mode %x nodes %lx\n", when, mode, nodes[0]);
}

int main(void) {
    unsigned long none = 0, first = 1, other = 1ul << 40, many[1025] = {0};
    char *memory = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory[0] = memory[2 * 4096] = 1;

    current("at first", NULL, 0);
    current("allowed", NULL, 4);
    current("allowed and node", NULL, 5);
    current("address without flag", memory, 0);
    current("node without address", NULL, 1);
    current("unknown flag", NULL, 8);
    current("nothing there", (void *)4096, 2);
    t_show("no room", syscall(SYS_get_mempolicy, NULL, &none, 0, NULL, 0));

    t_show("bind to none", syscall(SYS_set_mempolicy, BIND, &none, 64));
    t_show("bind to another", syscall(SYS_set_mempolicy, BIND, &other, 64));
    t_show("bind beyond", syscall(SYS_set_mempolicy, BIND, many, 4096 * 8 + 2));
    t_show("bad address", syscall(SYS_set_mempolicy, BIND, (void *)8, 64));
    t_show("unknown mode", syscall(SYS_set_mempolicy, 100, &first, 64));
    t_show("both kinds of masks", syscall(SYS_set_mempolicy, BIND | STATIC | RELATIVE, &first, 64));
    t_show("default with nodes", syscall(SYS_set_mempolicy, DEFAULT, &first, 64));
    t_show("local with nodes", syscall(SYS_set_mempolicy, LOCAL, &first, 64));
    t_show("bind", syscall(SYS_set_mempolicy, BIND, &first, 64));
    current("bound", NULL, 0);
    t_show("prefer none", syscall(SYS_set_mempolicy, PREFERRED, NULL, 0));
    current("local", NULL, 0);
    t_show("interleave", syscall(SYS_set_mempolicy, INTERLEAVE, &first, 64));
    current("next node", NULL, 1);
    fflush(stdout);
    if (fork() == 0) {
        current("inherited", NULL, 0);
        exit(0);
    }
    wait(NULL);
    t_show("default", syscall(SYS_set_mempolicy, DEFAULT, NULL, 0));

    t_show("mbind", syscall(SYS_mbind, memory, 4096, BIND, &first, 64, 0));
    current("its page", memory, 2);
    current("the node of its page", memory, 3);
    current("the next page", memory + 4096, 2);
    t_show("mbind odd", syscall(SYS_mbind, memory + 1, 4096, BIND, &first, 64, 0));
    t_show("mbind flags", syscall(SYS_mbind, memory, 4096, BIND, &first, 64, 16));
    t_show("mbind nothing", syscall(SYS_mbind, memory, 0, BIND, &first, 64, 0));
    munmap(memory + 4096, 4096);
    t_show("mbind a hole", syscall(SYS_mbind, memory, 3 * 4096, BIND, &first, 64, 0));

    t_show("migrate to none", syscall(SYS_migrate_pages, 0, 64L, &first, &none));
    t_show("migrate", syscall(SYS_migrate_pages, 0, 64L, &first, &first));

    pid_t child = fork();
    if (child == 0) {
        pause();
        exit(0);
    }
    int fd = syscall(SYS_pidfd_open, child, 0);
    struct iovec range[2] = {{memory, 4096}, {memory + 4096, 4096}};
    t_show("advise", syscall(SYS_process_madvise, fd, range, 1L, MADV_COLD, 0));
    t_show("advise half", syscall(SYS_process_madvise, fd, range, 2L, MADV_COLD, 0));
    t_show("advise a hole", syscall(SYS_process_madvise, fd, range + 1, 1L, MADV_COLD, 0));
    t_show("advise to discard", syscall(SYS_process_madvise, fd, range, 1L, MADV_DONTNEED, 0));
    t_show("flags", syscall(SYS_process_madvise, fd, range, 1L, MADV_COLD, 1));
    t_show("no descriptor", syscall(SYS_process_madvise, -1, range, 1L, MADV_COLD, 0));
    t_show("not of a process", syscall(SYS_process_madvise, 0, range, 1L, MADV_COLD, 0));
    kill(child, SIGKILL);
    wait(NULL);
    return 0;
}
