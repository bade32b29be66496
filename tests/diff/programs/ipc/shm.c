// Shared memory: attaching, detaching, what stat counts, removal while attached, errors.
// diff: cpus=2
#include "ipc.h"

static int id;
static struct shmid_ds ds;
static void stat_of(const char *what) {
    if (shmctl(id, IPC_STAT, &ds)) printf("%s: %s\n", what, t_name(errno));
    else printf("%s: size %zu, attached %lu, mode %o, private %d\n", what, ds.shm_segsz, (unsigned long)ds.shm_nattch, ds.shm_perm.mode, T_KEY(ds.shm_perm) == 0);
}
static int child(void) {
    int *at = shmat(id, NULL, 0);
    at[0] += 5;
    stat_of("in the child");
    return shmdt(at) ? 1 : at == NULL;
}
static int inherits(void) { stat_of("inherited"); return 0; }
static int denied(void) {
    setgid(1000), setuid(1000);
    T(shmget(T_KEY(ds.shm_perm), 10, 0600)); Z(shmget(T_KEY(ds.shm_perm), 10, 0)); T((long)shmat(id, NULL, 0)); T(shmctl(id, IPC_STAT, &ds)); T(shmctl(id, IPC_RMID, NULL)); T(shmctl(id, IPC_SET, &ds));
    return 0;
}

int main(void) {
    T(shmget(IPC_PRIVATE, 0, 0600)); T(shmget(KEY, 100, 0)); T(shmat(-1, NULL, 0) == (void *)-1); T(shmdt(NULL)); T(shmctl(-1, IPC_STAT, &ds)); T(shmctl(1 << 30, IPC_STAT, &ds));
    id = shmget(KEY, 10000, IPC_CREAT | IPC_EXCL | 0600);
    C(id >= 0);
    T(shmget(KEY, 10000, IPC_CREAT | IPC_EXCL | 0600)); T(shmget(KEY, 20000, 0)); T(shmget(KEY, 1, 0) == id); T(shmget(KEY, 0, 0) == id);
    stat_of("fresh"); C(ds.shm_cpid == getpid() && ds.shm_lpid == 0 && ds.shm_atime == 0 && ds.shm_ctime > 0);
    int *at = shmat(id, NULL, 0), *again = shmat(id, NULL, SHM_RDONLY);
    C(at != (void *)-1 && again != (void *)-1 && at != again); N(at[0]); N(at[2499]);
    at[0] = 7; N(again[0]);
    stat_of("twice"); C(ds.shm_lpid == getpid() && ds.shm_atime > 0);
    J(child); N(at[0]);
    J(inherits);
    T(shmdt((char *)at + 4)); T(shmdt((char *)at + PAGE)); T(shmdt(at)); T(shmdt(at)); stat_of("once");
    T((long)shmat(id, (char *)again + 1, 0)); T((long)shmat(id, again, 0)); T((long)shmat(id, NULL, SHM_REMAP)); C(shmat(id, again, SHM_REMAP) == again); stat_of("remapped");
    T(munmap((char *)again + PAGE, PAGE)); stat_of("with a hole"); T(shmdt(again)); stat_of("detached");
    ds.shm_perm.mode = 0640;
    T(shmctl(id, IPC_SET, &ds)); stat_of("set");
    J(denied);
    at = shmat(id, NULL, 0);
    T(shmctl(id, IPC_RMID, NULL)); stat_of("removed"); T(shmget(KEY, 1, 0)); N(at[0]);
    J(child);
    T(shmdt(at)); stat_of("gone");
    T(shmctl(id, IPC_RMID, NULL)); T(shmctl(0, 999, NULL));
    return 0;
}
