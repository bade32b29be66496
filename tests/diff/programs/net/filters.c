// SO_ATTACH_FILTER and its like: which programs are taken, what they let through, reading them back, locking.
// diff: libc=glibc
#include "net/n.h"
#include <linux/filter.h>
static char b[64];
#define ATTACH(s, ...) n_attach(#__VA_ARGS__, s, (struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / 8)
static void n_attach(const char *what, int s, struct sock_filter *f, int count) {
    struct sock_fprog p = {count, f};
    int result = setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
    printf("%s: %s\n", what, result ? t_name(errno) : "ok");
}
#define STMT(code, k) {(code), 0, 0, (k)}
#define JUMP(code, k, t, f) {(code), (t), (f), (k)}
static void try(int *e) {
    for (int i = 0; i < 3; i++) { char text[] = "0123456789"; send(e[0], text, 2 + 4 * i, 0); ssize_t n = recv(e[1], b, sizeof b, MSG_DONTWAIT); printf(" %zd", n); }
    printf("\n");
}
int main(void) {
    int e[2]; n_udp_pair(e);
    struct sock_fprog none = {0, NULL}, bad = {1, BAD}, long_ = {4097, BAD};
    T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof none)); T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof bad)); T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, &long_, sizeof long_)); T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, &bad, 8)); T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, BAD, sizeof bad)); T(setsockopt(e[1], SOL_SOCKET, SO_ATTACH_FILTER, &bad, 20)); T(setsockopt(e[1], SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, 4)); try(e);
    ATTACH(e[1], STMT(BPF_RET | BPF_K, 0)); try(e); ATTACH(e[1], STMT(BPF_RET | BPF_K, -1)); try(e); ATTACH(e[1], STMT(BPF_LD | BPF_LEN, 0), JUMP(BPF_JMP | BPF_JGT | BPF_K, 12, 0, 1), STMT(BPF_RET | BPF_K, 0xffff), STMT(BPF_RET | BPF_K, 0)); try(e); ATTACH(e[1], STMT(BPF_RET | BPF_K, 11)); try(e); ATTACH(e[1], STMT(BPF_RET | BPF_K, 3)); try(e);
    ATTACH(e[1], STMT(BPF_LD | BPF_ABS | BPF_B, 8), JUMP(BPF_JMP | BPF_JEQ | BPF_K, '0', 0, 1), STMT(BPF_RET | BPF_K, 100), STMT(BPF_RET | BPF_K, 0)); try(e); ATTACH(e[1], STMT(BPF_LD | BPF_ABS | BPF_B, 15), STMT(BPF_RET | BPF_K, 100)); try(e); ATTACH(e[1], STMT(BPF_LD | BPF_ABS | BPF_H, 4), STMT(BPF_RET | BPF_A, 0)); try(e);
    ATTACH(e[1], STMT(BPF_LD | BPF_IMM, 10), STMT(BPF_ALU | BPF_MUL | BPF_K, 2), STMT(BPF_RET | BPF_A, 0)); try(e); ATTACH(e[1], STMT(BPF_LD | BPF_IMM, 10), STMT(BPF_LDX | BPF_IMM, 0), STMT(BPF_ALU | BPF_DIV | BPF_X, 0), STMT(BPF_RET | BPF_K, 99)); try(e);
    // None that is valid.
    ATTACH(e[1], STMT(BPF_LD | BPF_IMM, 1)); ATTACH(e[1], JUMP(BPF_JMP | BPF_JA, 1, 0, 0), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(BPF_ALU | BPF_DIV | BPF_K, 0), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(0xffff, 0), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(BPF_ST, 16), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(BPF_LD | BPF_MEM, 1), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(BPF_ST, 1), STMT(BPF_LD | BPF_MEM, 1), STMT(BPF_RET | BPF_K, 9)); ATTACH(e[1], STMT(BPF_ALU | BPF_LSH | BPF_K, 32), STMT(BPF_RET | BPF_K, 0)); ATTACH(e[1], STMT(BPF_RET | BPF_X, 0)); ATTACH(e[1], JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 5, 0), STMT(BPF_RET | BPF_K, 0));
    // Read back, detach, lock.
    ATTACH(e[1], STMT(BPF_LD | BPF_LEN, 0), STMT(BPF_RET | BPF_A, 0)); struct sock_filter back[8]; socklen_t len = 0; T(getsockopt(e[1], SOL_SOCKET, SO_GET_FILTER, back, &len)); N(len); len = 1; T(getsockopt(e[1], SOL_SOCKET, SO_GET_FILTER, back, &len)); len = 8; T(getsockopt(e[1], SOL_SOCKET, SO_GET_FILTER, back, &len)); N(len); N(back[0].code); N(back[1].code);
    SETN(e[1], SOL_SOCKET, SO_DETACH_FILTER, 0, 0); SET(e[1], SOL_SOCKET, SO_DETACH_FILTER, 0); SET(e[1], SOL_SOCKET, SO_DETACH_FILTER, 0); len = 8; T(getsockopt(e[1], SOL_SOCKET, SO_GET_FILTER, back, &len)); N(len); try(e);
    GET(e[1], SOL_SOCKET, SO_LOCK_FILTER); ATTACH(e[1], STMT(BPF_RET | BPF_K, 100)); SET(e[1], SOL_SOCKET, SO_LOCK_FILTER, 1); GET(e[1], SOL_SOCKET, SO_LOCK_FILTER); ATTACH(e[1], STMT(BPF_RET | BPF_K, 0)); SET(e[1], SOL_SOCKET, SO_DETACH_FILTER, 0); SET(e[1], SOL_SOCKET, SO_LOCK_FILTER, 0); SET(e[1], SOL_SOCKET, SO_LOCK_FILTER, 1); try(e);
    return 0;
}
