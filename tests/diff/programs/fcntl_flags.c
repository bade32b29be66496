// F_GETFL and F_SETFL: the access mode stays, only some flags change.
#include "t.h"
#include <sys/eventfd.h>
#include <sys/socket.h>

static void flags(const char *what, int fd) {
    int f = fcntl(fd, F_GETFL);
    printf("%s: mode %d%s%s%s%s%s\n", what, f & O_ACCMODE, f & O_APPEND ? " append" : "", f & O_NONBLOCK ? " nonblock" : "",
           f & O_DIRECTORY ? " directory" : "", f & O_PATH ? " path" : "", f & (O_CREAT | O_EXCL | O_TRUNC) ? " creation?" : "");
}

int main(void) {
    t_scratch();
    flags("created", t_file("file", ""));
    flags("read only", open("file", O_RDONLY));
    flags("write only", open("file", O_WRONLY | O_APPEND));
    flags("directory", open(".", O_RDONLY | O_DIRECTORY));
    flags("path", open("file", O_PATH));
    int fd = open("file", O_RDWR | O_NONBLOCK);
    flags("nonblock", fd);
    T(fcntl(fd, F_SETFL, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC));
    flags("after F_SETFL", fd);
    T(fcntl(fd, F_SETFL, 0));
    flags("cleared", fd);
    int p[2], s[2];
    pipe2(p, O_NONBLOCK);
    flags("pipe r", p[0]);
    flags("pipe w", p[1]);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
    flags("socket", s[0]);
    flags("eventfd", eventfd(0, EFD_NONBLOCK));
    T(fcntl(-1, F_GETFL));
    T(fcntl(-1, F_SETFL, 0));
    T(fcntl(p[0], F_GETOWN));
    T(fcntl(fd, F_GETSIG));
    return 0;
}
