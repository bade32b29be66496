// O_PATH descriptors name a file and do little else.
#include "t.h"

int main(void) {
    t_scratch();
    mkdir("dir", 0755);
    close(t_file("dir/file", "text"));
    symlink("dir/file", "link");
    struct stat st;
    char buffer[16] = "";
    int p = T(open("dir/file", O_PATH));
    T(read(p, buffer, 4));
    T(write(p, "x", 1));
    T(pread(p, buffer, 4, 0));
    T(lseek(p, 0, SEEK_SET));
    T(ftruncate(p, 0));
    T(fchmod(p, 0600));
    T(fchown(p, 0, 0));
    T(fstat(p, &st));
    N(st.st_size);
    T(fcntl(p, F_GETFL) & O_PATH ? 1 : 0);
    T(fcntl(p, F_SETFL, O_NONBLOCK));
    T(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p, 0) == MAP_FAILED ? -1 : 0);
    int copy = T(dup(p));
    T(close(copy));
    T(fsync(p));
    T(close(p));
    int l = T(open("link", O_PATH | O_NOFOLLOW));
    T(fstat(l, &st));
    C(S_ISLNK(st.st_mode));
    T(readlinkat(l, "", buffer, sizeof buffer - 1));
    S(buffer);
    close(l);
    int d = T(open("dir", O_PATH | O_DIRECTORY));
    T(close(openat(d, "file", O_RDONLY)));
    T(fchdir(d));
    T(access("file", F_OK));
    T(close(d));
    T(open("missing", O_PATH));
    T(open("file", O_PATH | O_DIRECTORY));
    return 0;
}
