// What every program shares: it prints each call by its own text, the result, and the error's name.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The calls: T shows the result, Z only that it is no error (pids, addresses, counts that may vary), E an error number
// that is returned, P a mapping, C a truth.
#define T(call) t_show(#call, (errno = 0, (long)(call)))
#define Z(call) t_okay(#call, (errno = 0, (long)(call)))
#define E(call) t_error(#call, (call))
#define P(call) t_pointer(#call, (errno = 0, (call)))
#define C(truth) printf("%s: %s\n", #truth, (truth) ? "yes" : "no")
#define N(value) printf("%s = %lld\n", #value, (long long)(value))
#define S(text) printf("%s = \"%s\"\n", #text, (text))

#define PAGE 4096ul
// Addresses that are never mapped: below mmap_min_addr, in the non-canonical hole, in the kernel's half.
#define BAD ((void *)8)
#define HOLE ((void *)0x0000800000000000ul)
#define KERNEL ((void *)0xffff888000000000ul)

static inline const char *t_name(int error) {
    static const struct { int number; const char *name; } names[] = {
#define N_(name) {name, #name}
        N_(EPERM), N_(ENOENT), N_(ESRCH), N_(EINTR), N_(EIO), N_(ENXIO), N_(E2BIG), N_(ENOEXEC), N_(EBADF), N_(ECHILD), N_(EAGAIN),
        N_(ENOMEM), N_(EACCES), N_(EFAULT), N_(EBUSY), N_(EEXIST), N_(EXDEV), N_(ENODEV), N_(ENOTDIR), N_(EISDIR), N_(EINVAL),
        N_(ENFILE), N_(EMFILE), N_(ENOTTY), N_(ETXTBSY), N_(EFBIG), N_(ENOSPC), N_(ESPIPE), N_(EROFS), N_(EMLINK), N_(EPIPE),
        N_(EDOM), N_(ERANGE), N_(EDEADLK), N_(ENAMETOOLONG), N_(ENOLCK), N_(ENOSYS), N_(ENOTEMPTY), N_(ELOOP), N_(ENODATA),
        N_(ETIME), N_(EOVERFLOW), N_(ENOTSOCK), N_(EDESTADDRREQ), N_(EMSGSIZE), N_(EPROTOTYPE), N_(ENOPROTOOPT),
        N_(EPROTONOSUPPORT), N_(ESOCKTNOSUPPORT), N_(EOPNOTSUPP), N_(EAFNOSUPPORT), N_(EADDRINUSE), N_(EADDRNOTAVAIL),
        N_(ENETUNREACH), N_(ECONNABORTED), N_(ECONNRESET), N_(ENOBUFS), N_(EISCONN), N_(ENOTCONN), N_(ETIMEDOUT),
        N_(ECONNREFUSED), N_(EHOSTUNREACH), N_(EALREADY), N_(EINPROGRESS), N_(ECANCELED), N_(EOWNERDEAD), N_(ENOTRECOVERABLE),
        N_(EILSEQ), N_(EBADFD), N_(ESTALE),
#undef N_
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == error) return names[i].name;
    return error ? "E?" : "0";
}

static inline long t_show(const char *call, long result) {
    int error = errno;
    if (result == -1 && error) printf("%s: -1 %s\n", call, t_name(error));
    else printf("%s: %ld\n", call, result);
    errno = error;
    return result;
}

static inline long t_okay(const char *call, long result) {
    int error = errno;
    printf("%s: %s\n", call, result == -1 ? t_name(error) : "ok");
    errno = error;
    return result;
}

static inline int t_error(const char *call, int error) {
    printf("%s: %s\n", call, t_name(error));
    return error;
}

static inline void *t_pointer(const char *call, void *result) {
    printf("%s: %s\n", call, result == MAP_FAILED ? t_name(errno) : "ok");
    return result;
}

// Line by line, so that what was printed before a fatal signal is seen. Descriptors that the tester's shell left open would
// shift the numbers; a program that gets some from itself says T_INHERITS.
__attribute__((constructor)) static void t_start(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
#ifndef T_INHERITS
    syscall(SYS_close_range, 3u, ~0u, 0u);
#endif
}

// Goes to the directory for this run's files. In the enclave that is its own /tmp, which nobody else sees.
static inline void t_scratch(void) {
    const char *dir = getenv("TMPDIR");
    if (chdir(dir ? dir : "/tmp") != 0) perror("chdir"), exit(99);
    umask(022);
}

// A new file with the given contents, open for reading and writing.
static inline int t_file(const char *name, const char *contents) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, contents, strlen(contents)) != (ssize_t)strlen(contents)) perror(name), exit(99);
    return fd;
}

// What a file holds, from its start, as text.
static inline void t_cat(const char *name) {
    char buffer[512];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer - 1);
    if (n < 0) { printf("%s: %s\n", name, t_name(errno)); }
    else { buffer[n] = 0; printf("%s: [%s]\n", name, buffer); }
    if (fd >= 0) close(fd);
}

static inline void t_sleep_ms(long ms) {
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&wait, &wait) == -1 && errno == EINTR) {}
}

static inline long t_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Installs a handler with flags, an empty mask, and no talk.
static inline void t_handle(int signal, void *handler, int flags) {
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO) action.sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
    else action.sa_handler = (void (*)(int))handler;
    if (sigaction(signal, &action, NULL) != 0) perror("sigaction"), exit(99);
}
