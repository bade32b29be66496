// diff: libc=glibc
// The calls that tell of all objects, what SHM_LOCK shows, and the arguments' errors.
#include "../t.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>

int main(void) {
    struct { long type; char text[100]; } message = {1, "text"};
    struct msqid_ds about;
    struct msginfo info;
    struct shmid_ds segment;
    // Natively others may have queues, too: what counts is the difference.
    T(msgctl(0, MSG_INFO, (void *)&info) >= 0); int queues = info.msgpool, messages = info.msgmap, bytes = info.msgtql;
    int queue = msgget(IPC_PRIVATE, 0600), other = msgget(IPC_PRIVATE, 0600);
    T(msgsnd(queue, &message, 4, 0)); T(msgsnd(queue, &message, 0, 0)); T(msgsnd(other, &message, 50, 0));
    T(msgctl(0, MSG_INFO, (void *)&info) >= 0); N(info.msgpool - queues); N(info.msgmap - messages); N(info.msgtql - bytes); N(info.msgmax); N(info.msgmnb);
    T(msgrcv(other, &message, 100, 0, 0)); T(msgctl(other, IPC_RMID, NULL)); T(msgctl(0, MSG_INFO, (void *)&info) >= 0);
    N(info.msgpool - queues); N(info.msgmap - messages); N(info.msgtql - bytes);
    T(msgctl(0, IPC_INFO, (void *)&info) >= 0); N(info.msgmax); N(info.msgmnb); N(info.msgssz);
    T(msgctl(queue, IPC_STAT, &about)); N(about.msg_qnum); N(about.msg_qbytes);
    about.msg_qbytes = 10; T(msgctl(queue, IPC_SET, &about)); T(msgsnd(queue, &message, 9, IPC_NOWAIT)); T(msgsnd(queue, &message, 6, IPC_NOWAIT));
    T(msgctl(queue, 99, &about)); T(msgctl(-1, IPC_RMID, NULL)); T(msgctl(9999, MSG_STAT, &about)); T(msgctl(queue, IPC_RMID, NULL)); T(msgctl(queue, IPC_RMID, NULL));
    int memory = shmget(IPC_PRIVATE, 5000, 0640);
    T(shmctl(memory, IPC_STAT, &segment)); printf("%o\n", segment.shm_perm.mode); T(shmctl(memory, SHM_LOCK, NULL)); T(shmctl(memory, IPC_STAT, &segment)); printf("%o\n", segment.shm_perm.mode);
    T(shmctl(memory, SHM_LOCK, NULL)); T(shmctl(memory, SHM_UNLOCK, NULL)); T(shmctl(memory, IPC_STAT, &segment)); printf("%o\n", segment.shm_perm.mode);
    fflush(stdout);
    if (fork() == 0) { setuid(1000); T(shmctl(memory, SHM_LOCK, NULL)); T(shmctl(memory, SHM_UNLOCK, NULL)); T(shmctl(-1, SHM_LOCK, NULL)); _exit(0); }
    wait(NULL);
    T(shmctl(memory, IPC_RMID, NULL)); T(shmctl(memory, SHM_LOCK, NULL));
    return 0;
}
