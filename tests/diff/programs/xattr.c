// Extended attributes: names, sizes, flags, errors. Only trusted and security ones, which every tmpfs has.
#include "t.h"
#include <sys/xattr.h>

int main(void) {
    t_scratch();
    int fd = t_file("file", "");
    char b[64] = "";
    T(setxattr("file", "trusted.a", "value", 5, 0));
    T(getxattr("file", "trusted.a", b, sizeof b)); S(b);
    T(getxattr("file", "trusted.a", NULL, 0));
    T(getxattr("file", "trusted.a", b, 2));
    T(getxattr("file", "trusted.b", b, sizeof b));
    T(setxattr("file", "trusted.a", "x", 1, XATTR_CREATE));
    T(setxattr("file", "trusted.b", "x", 1, XATTR_REPLACE));
    T(fsetxattr(fd, "trusted.a", "new", 3, XATTR_REPLACE));
    T(fgetxattr(fd, "trusted.a", b, sizeof b));
    T(listxattr("file", b, sizeof b)); S(b);
    T(listxattr("file", b, 3));
    T(removexattr("file", "trusted.a"));
    T(removexattr("file", "trusted.a"));
    T(listxattr("file", b, sizeof b));
    T(setxattr("file", "nonsense", "x", 1, 0));
    T(setxattr("file", "", "x", 1, 0));
    T(setxattr("file", "trusted.c", "x", 1, 99));
    T(setxattr("missing", "trusted.a", "x", 1, 0));
    T(getxattr("missing", "trusted.a", b, 1));
    T(fgetxattr(-1, "trusted.a", b, 1));
    return 0;
}
