// Message queues: order by type, sizes, waiting, removal, errors.
// diff: cpus=2
#include "ipc.h"

static int id, p[2];
struct message { long type; char text[9000]; } m;
static int put(long type, const char *text, int flags) { struct message *n = &m; n->type = type; strcpy(n->text, text); return msgsnd(id, n, strlen(text), flags); }
static void get(const char *what, size_t size, long type, int flags) {
    memset(&m, 0, sizeof m);
    long n = msgrcv(id, &m, size, type, flags);
    if (n < 0) printf("%s: %s\n", what, t_name(errno));
    else printf("%s: %ld type %ld \"%.40s\"\n", what, n, m.type, m.text);
}
static int waits(void) { j_tell(p[1]); struct message n; long got = msgrcv(id, &n, 100, 7, 0); return got < 0 ? errno == EIDRM ? 60 : 61 : 62; }
static int fills(void) { j_tell(p[1]); return msgsnd(id, &m, 8000, 0) ? errno == EIDRM ? 63 : 64 : 65; }

int main(void) {
    struct msqid_ds ds;
    pipe(p);
    T(msgget(KEY, 0)); T(msgget(-1, 0) == -1);
    id = msgget(KEY, IPC_CREAT | 0600);
    T(msgget(KEY, 0) == id); T(msgget(KEY, IPC_CREAT | IPC_EXCL));
    get("empty", 100, 0, IPC_NOWAIT);
    T(put(0, "x", 0)); T(put(-1, "x", 0)); m.type = 1; T(msgsnd(id, &m, 8193, 0)); T(msgsnd(id, BAD, 1, 0)); T(msgsnd(-1, &m, 1, 0)); T(msgrcv(-1, &m, 1, 0, 0));
    T(put(3, "three", 0)); T(put(1, "one", 0)); T(put(2, "two", 0)); T(put(3, "three again", 0)); T(put(2, "", 0));
    T(msgctl(id, IPC_STAT, &ds)); N(ds.msg_qnum); N(ds.msg_qbytes); C(ds.msg_lspid == getpid() && ds.msg_lrpid == 0 && ds.msg_stime > 0 && ds.msg_rtime == 0);
    get("first", 100, 0, 0); get("of type 2", 100, 2, 0); get("no type 9", 100, 9, IPC_NOWAIT); get("lowest", 100, -2, 0); get("not 2", 3, 2, MSG_EXCEPT); get("not 2, cut", 3, 2, MSG_EXCEPT | MSG_NOERROR); get("empty one", 100, -9, 0); get("none", 100, 0, IPC_NOWAIT);
    T(msgctl(id, IPC_STAT, &ds)); N(ds.msg_qnum); C(ds.msg_lrpid == getpid());
    pid_t pid = j_start(waits);
    j_await(p[0]); T(put(8, "other", 0)); t_sleep_ms(20); T(waitpid(pid, NULL, WNOHANG)); T(put(7, "his", 0)); j_wait("received", pid, 0); get("left", 100, 0, 0);
    m.type = 5;
    T(msgsnd(id, &m, 8192, 0)); T(msgsnd(id, &m, 8192, 0)); T(msgsnd(id, &m, 1, IPC_NOWAIT));
    pid = j_start(fills);
    j_await(p[0]); t_sleep_ms(20); T(waitpid(pid, NULL, WNOHANG)); get("one out", 9000, 0, MSG_NOERROR); j_wait("in", pid, 0);
    ds.msg_qbytes = 100; T(msgctl(id, IPC_SET, &ds)); T(msgctl(id, IPC_STAT, &ds)); N(ds.msg_qbytes);
    pid = j_start(fills);
    j_await(p[0]); t_sleep_ms(20);
    T(msgctl(id, IPC_RMID, NULL)); j_wait("removed", pid, 0); T(msgsnd(id, &m, 1, 0)); T(msgctl(id, IPC_STAT, &ds));
    return 0;
}
