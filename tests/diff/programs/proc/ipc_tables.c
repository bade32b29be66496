// /proc/sysvipc: a line for each object, in fixed columns.
#include "../t.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
static void show(const char *file, int id) {
    FILE *f = fopen(file, "r");
    char line[512], copy[512];
    while (fgets(line, sizeof line, f)) {
        int number = 0, key = 0;
        strcpy(copy, line);
        sscanf(line, "%d %d", &key, &number);
        if (!strstr(line, "key") && number != id) continue;
        // Words but the id, pids, times and what is resident; and how long the line is.
        int n = 0;
        for (char *w = strtok(copy, " \n"); w; w = strtok(NULL, " \n"), n++)
            if (atol(w) < 100000 && n != 1 && !(strstr(file, "shm") && (n == 4 || n == 5 || n == 14)) && !(strstr(file, "msg") && n == 5)) printf("%s ", w);
        printf("| %d words, %zu characters\n", n, strlen(line));
    }
    fclose(f);
}
int main(void) {
    int shm = shmget(0x12, 5000, IPC_CREAT | 0640), sem = semget(0x13, 3, IPC_CREAT | 0600), msg = msgget(0x14, IPC_CREAT | 0644);
    void *at = shmat(shm, NULL, 0);
    struct { long kind; char text[7]; } m = {1, "hello"};
    msgsnd(msg, &m, 6, 0);
    show("/proc/sysvipc/shm", shm); show("/proc/sysvipc/sem", sem); show("/proc/sysvipc/msg", msg);
    shmdt(at);
    show("/proc/sysvipc/shm", shm);
    T(shmctl(shm, IPC_RMID, NULL)); T(semctl(sem, 0, IPC_RMID)); T(msgctl(msg, IPC_RMID, NULL));
    show("/proc/sysvipc/shm", shm);
    char text[128] = "";
    static const char *names[] = {"sem", "shmmax", "shmmni", "shmall", "msgmax", "msgmnb"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/kernel/%s", names[i]);
        int fd = open(path, O_RDONLY);
        long n = read(fd, text, sizeof text - 1);
        text[n < 0 ? 0 : n] = 0;
        if (i) printf("%s: %s", names[i], text);
        else { long a, b, c, d; printf("%d\n", sscanf(text, "%ld\t%ld\t%ld\t%ld", &a, &b, &c, &d)); N(a); N(c); }
        close(fd);
    }
    return 0;
}
