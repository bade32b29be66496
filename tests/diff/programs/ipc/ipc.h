// System V IPC with its structures.
#include "../fork/job.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#define KEY (0x52000000 + (getppid() & 0xffff))
// The member that POSIX does not name.
#ifdef __GLIBC__
#define T_KEY(perm) (perm).__key
#else
#define T_KEY(perm) (perm).__ipc_perm_key
#endif
