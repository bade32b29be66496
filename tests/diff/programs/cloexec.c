// FD_CLOEXEC as each call that can set it shows it, and as dup forgets it.
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

int main(void) {
    t_scratch();
    close(t_file("file", ""));
    int fd = T(open("file", O_RDONLY | O_CLOEXEC));
    T(fcntl(fd, F_GETFD));
    int copy = T(dup(fd));
    T(fcntl(copy, F_GETFD));
    T(dup3(fd, copy, O_CLOEXEC));
    T(fcntl(copy, F_GETFD));
    T(dup2(fd, copy));
    T(fcntl(copy, F_GETFD));
    T(fcntl(copy, F_SETFD, FD_CLOEXEC));
    T(fcntl(copy, F_GETFD));
    T(dup2(copy, copy));
    T(fcntl(copy, F_GETFD));
    T(fcntl(copy, F_SETFD, 0));
    T(fcntl(copy, F_GETFD));
    int high = T(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    T(fcntl(high, F_GETFD));
    int low = T(fcntl(fd, F_DUPFD, 50));
    T(fcntl(low, F_GETFD));
    int pipes[2], pair[2];
    T(pipe2(pipes, O_CLOEXEC));
    T(fcntl(pipes[1], F_GETFD));
    T(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    T(fcntl(pair[0], F_GETFD));
    int e = T(epoll_create1(EPOLL_CLOEXEC));
    T(fcntl(e, F_GETFD));
    e = T(eventfd(0, EFD_CLOEXEC));
    T(fcntl(e, F_GETFD));
    T(fcntl(e, F_GETFL) & O_CLOEXEC);
    return 0;
}
