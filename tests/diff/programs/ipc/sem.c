// Semaphores: operations all at once, waiting, removal, undo, errors.
// diff: cpus=2
#include "ipc.h"

static int id, p[2];
static int op(int n, int change, int flags) { struct sembuf s = {n, change, flags}; return semop(id, &s, 1); }
static int get(int n) { return semctl(id, n, GETVAL); }
static int waits(void) { j_tell(p[1]); return op(0, -2, 0) ? errno == EIDRM ? 50 : 51 : 52; }
static int waits_zero(void) { j_tell(p[1]); return op(1, 0, 0) ? 53 : 54; }
static volatile int seen;
static void on(int s) { (void)s; seen++; }
static int interrupted(void) { t_handle(SIGALRM, on, SA_RESTART); alarm(1); return op(0, -1000, 0) ? errno == EINTR ? 55 : 56 : 57; }
static int undoes(void) { op(0, 3, SEM_UNDO); op(0, -1, SEM_UNDO); op(1, 2, 0); N(get(0)); return 0; }
static int undo_exec(void) { op(0, 3, SEM_UNDO); char *a[] = {"x", "y", NULL}; execv("/proc/self/exe", a); return 9; }
static void await(int n, int command) { for (int i = 0; i < 3000 && semctl(id, n, command) == 0; i++) t_sleep_ms(1); N(semctl(id, n, command)); }

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return 0;
    union semun arg;
    struct semid_ds ds;
    pipe(p);
    T(semget(IPC_PRIVATE, 0, 0600)); T(semget(IPC_PRIVATE, -1, 0600)); T(semget(IPC_PRIVATE, 40000, 0600)); T(semget(KEY, 1, 0));
    id = semget(KEY, 3, IPC_CREAT | 0600);
    T(semget(KEY, 4, 0)); T(semget(KEY, 2, 0) == id); T(semget(KEY, 3, IPC_CREAT | IPC_EXCL));
    T(op(3, 1, 0)); T(semop(id, NULL, 0)); T(semop(-1, BAD, 1)); T(semop(id, BAD, 1));
    struct sembuf many[600] = {{0}};
    T(semop(id, many, 501)); T(semop(id, many, 500));
    T(op(0, 5, 0)); N(get(0)); C(semctl(id, 0, GETPID) == getpid()); T(op(0, -6, IPC_NOWAIT)); T(op(0, 0, IPC_NOWAIT)); T(op(0, 32767, 0)); N(get(0));
    struct sembuf both[] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}};
    T(semop(id, both, 2)); N(get(0));
    struct sembuf twice[] = {{0, -5, 0}, {0, 0, 0}, {0, 2, 0}, {1, 1, 0}};
    T(semop(id, twice, 4)); N(get(0)); N(get(1));
    arg.val = 9; T(semctl(id, 2, SETVAL, arg)); N(get(2)); arg.val = 40000; T(semctl(id, 2, SETVAL, arg)); arg.val = -1; T(semctl(id, 2, SETVAL, arg)); T(semctl(id, 3, SETVAL, arg)); T(semctl(id, -1, GETVAL));
    unsigned short values[3] = {0, 1, 4};
    arg.array = values; T(semctl(id, 0, SETALL, arg)); memset(values, 7, sizeof values); T(semctl(id, 0, GETALL, arg)); N(values[0]); N(values[1]); N(values[2]);
    struct timespec soon = {0, 20000000}, bad = {0, -1};
    struct sembuf take = {0, -1, 0};
    T(semtimedop(id, &take, 1, &soon)); T(semtimedop(id, &take, 1, &bad));
    pid_t pid = j_start(waits);
    j_await(p[0]); await(0, GETNCNT);
    op(0, 1, 0); t_sleep_ms(20); T(waitpid(pid, NULL, WNOHANG)); op(0, 1, 0); j_wait("woken", pid, 0); N(get(0)); N(semctl(id, 0, GETNCNT));
    pid = j_start(waits_zero);
    j_await(p[0]); await(1, GETZCNT); op(1, -1, 0); j_wait("zero", pid, 0);
    J(interrupted);
    J(undoes); N(get(0)); N(get(1)); J(undo_exec); N(get(0));
    pid = j_start(waits);
    j_await(p[0]); await(0, GETNCNT);
    arg.buf = &ds; T(semctl(id, 0, IPC_STAT, arg)); N(ds.sem_nsems); C(ds.sem_otime > 0 && ds.sem_ctime > 0); N(ds.sem_perm.mode);
    ds.sem_perm.mode = 0666; T(semctl(id, 0, IPC_SET, arg)); T(semctl(id, 0, IPC_STAT, arg)); N(ds.sem_perm.mode);
    T(semctl(id, 0, IPC_RMID)); j_wait("removed", pid, 0); T(op(0, 1, 0)); T(get(0));
    return 0;
}
