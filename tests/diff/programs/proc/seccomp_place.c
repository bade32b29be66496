// Where a judged call came from: the address behind its instruction, however often it was made before.
// diff: libc=glibc
#define _GNU_SOURCE
#include "../t.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

extern char behind[];

static long __attribute__((noinline)) ask(void)
{
    long number = SYS_getppid;
    __asm__ volatile("syscall\n.globl behind\nbehind:" : "+a"(number) : : "rcx", "r11", "memory");
    return number;
}

static void caught(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    printf("caught, from there: %d\n", (char *)info->si_call_addr == behind);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    long parent = ask();
    for (int i = 0; i < 3; i++)
        printf("the same: %d\n", ask() == parent);
    uint64_t place = (uintptr_t)behind;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)place, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(place >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("filter: %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    for (int i = 0; i < 3; i++)
        ask();
    printf("elsewhere: %d\n", getppid() == parent);
    return 0;
}
