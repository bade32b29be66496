/* Forks by seed, and kills at random what it made, then looks for what was left behind.
 * Arguments: seed, number of forks. Says what it finds in /proc before and after, and then waits
 * for the end of its input, so that the host can count, too. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 12
#define WARM_UP 200

static uint64_t seed;

/* xorshift64* */
static unsigned draw(unsigned below) {
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (unsigned)((seed * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

static void check(int good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int semaphore, lock_file;
static int *shared;
static pthread_mutex_t *robust;
static char *self;

static void *spin(void *arg) {
    for (;;)
        sched_yield();
    return arg;
}

/* What a child does until it ends or is killed. */
static void live(void) {
    switch (draw(12)) {
    case 0: { /* memory of its own */
        size_t len = 1 + draw(4 << 20);
        memset(malloc(len), 1, len);
        break;
    }
    case 1: /* a shared mapping, changed */
        shared[draw(1024)]++;
        break;
    case 2: { /* a file of its own, mapped, removed while it is open */
        /* Without a name: who is killed in between would leave it. */
        int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        if (ftruncate(fd, 300000) == 0) {
            char *map = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (map != MAP_FAILED)
                memset(map, 2, 300000);
        }
        break;
    }
    case 3: { /* locks of both kinds, held to the end */
        struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = draw(100), .l_len = 1};
        fcntl(lock_file, F_SETLKW, &all);
        int own = open("/tmp/storm.flock", O_RDWR | O_CREAT, 0600);
        flock(own, LOCK_EX);
        break;
    }
    case 4: { /* descriptors */
        int fds[2];
        for (int i = 0; i < 20; i++)
            if (draw(2) ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
                break;
        if (write(fds[1], "left behind", 11) < 0)
            break;
        break;
    }
    case 5: /* grandchildren that outlive it */
        for (int i = 0; i < 3; i++)
            if (fork() == 0) {
                usleep(draw(3000));
                _exit(0);
            }
        break;
    case 6: /* threads */
        for (int i = 0; i < 3; i++) {
            pthread_t thread;
            pthread_create(&thread, NULL, spin, NULL);
        }
        break;
    case 7: { /* a semaphore, given back by the kernel */
        struct sembuf take = {.sem_op = -1, .sem_flg = SEM_UNDO};
        semop(semaphore, &take, 1);
        break;
    }
    case 8: /* a mutex that its owner dies with */
        if (pthread_mutex_lock(robust) == EOWNERDEAD)
            pthread_mutex_consistent(robust);
        break;
    case 9: /* another program */
        execl(self, self, "child", (char *)NULL);
        break;
    case 10: /* the memory of its parent for a while */
        if (vfork() == 0)
            execl(self, self, "child", (char *)NULL);
        break;
    default: /* a signal that it catches, a timer, a sleep */
        signal(SIGALRM, SIG_IGN);
        alarm(1);
        usleep(draw(500));
    }
    usleep(draw(2000));
    _exit(draw(2));
}

static int count(const char *folder, int numbers) {
    DIR *dir = opendir(folder);
    check(dir != NULL, folder);
    int found = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.' && (!numbers || (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')))
            found++;
    closedir(dir);
    return found;
}

/* Locks that somebody else still has: nobody lives who could. */
static int locks(void) {
    int found = 0;
    for (int at = 0; at < 100; at++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
        check(fcntl(lock_file, F_GETLK, &lock) == 0, "F_GETLK");
        found += lock.l_type != F_UNLCK;
    }
    int whole = open("/tmp/storm.flock", O_RDWR);
    check(whole >= 0, "/tmp/storm.flock");
    found += flock(whole, LOCK_EX | LOCK_NB) != 0;
    close(whole);
    int held = pthread_mutex_trylock(robust);
    if (held == EOWNERDEAD)
        pthread_mutex_consistent(robust);
    found += held != 0 && held != EOWNERDEAD;
    if (held == 0 || held == EOWNERDEAD)
        pthread_mutex_unlock(robust);
    return found;
}

static long free_kib(void) {
    FILE *file = fopen("/proc/meminfo", "r");
    check(file != NULL, "/proc/meminfo");
    long kib = -1;
    char line[128];
    while (fgets(line, sizeof line, file))
        sscanf(line, "MemFree: %ld", &kib);
    fclose(file);
    return kib;
}

static void look(const char *when) {
    int value = semctl(semaphore, 0, GETVAL);
    check(value >= 0, "semctl");
    printf("%s processes %d descriptors %d locks %d semaphore %d files %d free %ld\n", when, count("/proc", 1),
           count("/proc/self/fd", 0), locks(), value, count("/tmp", 0), free_kib());
    fflush(stdout);
}

static void storm(int forks) {
    pid_t children[AT_ONCE];
    int running = 0;
    while (forks > 0 || running > 0) {
        if (forks > 0 && running < AT_ONCE && draw(3) > 0) {
            unsigned childs = draw(1 << 30);
            pid_t child = fork();
            if (child == 0) {
                seed ^= childs;
                live();
            }
            check(child > 0, "fork");
            children[running++] = child;
            forks--;
            continue;
        }
        if (running == 0)
            continue;
        int which = draw(running);
        switch (draw(4)) {
        case 0:
        case 1:
            kill(children[which], SIGKILL);
            break;
        case 2:
            kill(children[which], draw(2) ? SIGSEGV : SIGTERM);
            break;
        default:
            usleep(draw(1000));
        }
        pid_t gone = waitpid(draw(3) ? -1 : children[which], NULL, running == AT_ONCE ? 0 : WNOHANG);
        for (int i = 0; i < running; i++)
            if (gone > 0 && children[i] == gone)
                children[i] = children[--running];
    }
    /* Grandchildren are the first process's: ours, if we are it. */
    usleep(50000);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

int main(int argc, char **argv) {
    if (argc == 2)
        return 0;
    check(argc == 3, "usage: storm SEED FORKS");
    self = argv[0];
    seed = strtoull(argv[1], NULL, 0) | 1;
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    check(semaphore >= 0, "semget");
    union { int val; } value = {.val = 4};
    check(semctl(semaphore, 0, SETVAL, value) == 0, "semctl");
    lock_file = open("/tmp/storm.lock", O_RDWR | O_CREAT, 0600);
    check(lock_file >= 0, "open");
    close(open("/tmp/storm.flock", O_RDWR | O_CREAT, 0600));
    shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED, "mmap");
    robust = (pthread_mutex_t *)(shared + 1536);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(robust, &attributes);
    storm(WARM_UP);
    look("before");
    storm(atoi(argv[2]));
    look("after");
    while (getchar() != EOF)
        ;
    semctl(semaphore, 0, IPC_RMID);
    return 0;
}
