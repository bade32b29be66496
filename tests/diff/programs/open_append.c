// O_APPEND: each write goes to the end, wherever the offset is; pwrite too, as Linux has it.
#include "t.h"

int main(void) {
    t_scratch();
    int fd = t_file("log", "one ");
    int a = T(open("log", O_WRONLY | O_APPEND));
    T(lseek(a, 0, SEEK_SET));
    T(write(a, "two ", 4));
    T(lseek(a, 0, SEEK_CUR));
    T(pwrite(a, "three ", 6, 0));
    T(lseek(a, 0, SEEK_CUR));
    t_cat("log");
    T(lseek(fd, 0, SEEK_SET));
    T(fcntl(fd, F_SETFL, O_APPEND));
    T(fcntl(fd, F_GETFL) & O_APPEND);
    T(write(fd, "four ", 5));
    T(fcntl(fd, F_SETFL, 0));
    T(lseek(fd, 0, SEEK_SET));
    T(write(fd, "ONE ", 4));
    t_cat("log");
    T(ftruncate(a, 3));
    T(write(a, "!", 1));
    t_cat("log");
    return 0;
}
