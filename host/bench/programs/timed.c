/* Runs a command once and says how long it took; what it prints is dropped.
 * Arguments: a name, the command, its arguments. */
#include "bench.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    check(argc > 2, "usage: timed NAME COMMAND…");
    posix_spawn_file_actions_t quiet;
    check(posix_spawn_file_actions_init(&quiet) == 0, "posix_spawn_file_actions_init");
    check(posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0) == 0, "posix_spawn_file_actions_addopen");
    printf("begin %s\n", argv[1]);
    fflush(stdout);
    double before = now_ns();
    pid_t child;
    int status;
    errno = posix_spawn(&child, argv[2], &quiet, NULL, argv + 2, environ);
    check(errno == 0, argv[2]);
    check(waitpid(child, &status, 0) == child, "waitpid");
    errno = 0;
    check(status == 0, "the command failed");
    printf("end %s 1 %.0f\n", argv[1], now_ns() - before);
    fflush(stdout);
    return 0;
}
