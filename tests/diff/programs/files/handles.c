// diff: libc=glibc
// name_to_handle_at and open_by_handle_at.
#include "files.h"

struct handle { unsigned bytes; int type; unsigned char f[128]; };
static long name(int dir, const char *path, struct handle *h, int *id, int flags) { return syscall(SYS_name_to_handle_at, dir, path, h, id, flags); }
static long by(int mount, struct handle *h, int flags) { return syscall(SYS_open_by_handle_at, mount, h, flags); }
// Whether it opens.
static long can(int mount, struct handle *h, int flags) { long fd = by(mount, h, flags); return fd < 0 ? -1 : close(fd); }

int main(void) {
    f_scratch();
    struct handle h = {0}, d = {128}, l = {128}, again = {128}; int id = -5, id2 = -6; char b[64];
    f_make("f", "content", 0644); mkdir("dir", 0755); f_make("dir/in", "inside", 0644); symlink("f", "l");
    symlink("none", "dangling"); int here = open(".", O_RDONLY), fd = open("f", O_RDONLY), pipes[2]; pipe(pipes);
    T(name(AT_FDCWD, "f", &h, &id, 0)); C(h.bytes > 0); C(id != -5); unsigned need = h.bytes; h.bytes = need - 1;
    T(name(AT_FDCWD, "f", &h, &id, 0)); C(h.bytes == need); T(name(AT_FDCWD, "f", &h, &id, 0)); h.bytes = 128;
    T(name(AT_FDCWD, "f", &h, &id, 0)); C(h.bytes == need); h.bytes = 129; T(name(AT_FDCWD, "f", &h, &id, 0)); h.bytes = 128;
    T(name(AT_FDCWD, "missing", &h, &id, 0)); T(name(AT_FDCWD, "f", BAD, &id, 0)); T(name(AT_FDCWD, "f", &h, BAD, 0));
    T(name(AT_FDCWD, BAD, &h, &id, 0)); T(name(AT_FDCWD, "f", &h, &id, 0x8000)); T(name(AT_FDCWD, "", &h, &id, 0));
    T(name(fd, "", &h, &id2, AT_EMPTY_PATH)); C(id == id2); T(name(-1, "f", &h, &id, 0)); T(name(fd, "x", &h, &id, 0));
    T(name(AT_FDCWD, "/proc/version", &d, &id2, 0)); T(name(pipes[0], "", &d, &id2, AT_EMPTY_PATH));
    T(name(AT_FDCWD, "dangling", &d, &id2, AT_SYMLINK_FOLLOW));
    d.bytes = 128; T(name(AT_FDCWD, "dir", &d, &id, 0)); T(name(AT_FDCWD, "l", &l, &id, 0));
    T(name(AT_FDCWD, "l", &again, &id, AT_SYMLINK_FOLLOW)); C(!memcmp(&h, &again, 8 + need)); C(!!memcmp(&l, &again, 8 + need));
    again.bytes = 128; link("f", "hard"); T(name(AT_FDCWD, "hard", &again, &id, 0)); C(!memcmp(&h, &again, 8 + need));
    T(can(here, &h, O_RDONLY)); int f = by(here, &h, O_RDWR); T(read(f, b, 64)); T(write(f, "more", 4)); close(f); t_cat("f");
    f = by(AT_FDCWD, &d, O_RDONLY | O_DIRECTORY); T(faccessat(f, "in", F_OK, 0)); close(f); T(can(here, &d, O_RDWR));
    T(can(here, &l, O_RDONLY)); f = by(here, &l, O_PATH); T(readlinkat(f, "", b, 64)); close(f); T(can(here, &h, O_DIRECTORY));
    f = by(fd, &h, O_RDONLY | O_CLOEXEC); N(fcntl(f, F_GETFD)); close(f);
    T(can(-1, &h, O_RDONLY)); T(can(here, BAD, O_RDONLY)); struct handle odd = h; odd.bytes = 0; T(can(here, &odd, O_RDONLY));
    odd.bytes = 129; T(can(here, &odd, O_RDONLY)); odd = h; odd.type = -1; T(can(here, &odd, O_RDONLY));
    memset(odd.f, 0x77, 64); odd.type = h.type; T(can(here, &odd, O_RDONLY));
    rename("f", "moved"); f = by(here, &h, O_RDONLY); T(read(f, b, 3)); close(f); unlink("moved"); unlink("hard"); close(fd);
    T(can(here, &h, O_RDONLY)); unlink("dir/in"); rmdir("dir");
    AS(1000, 1000) {
        f_make("own", "x", 0644); h.bytes = 128; T(name(AT_FDCWD, "own", &h, &id, 0)); T(can(AT_FDCWD, &h, O_RDONLY));
        T(can(-1, &h, O_RDONLY)); h.bytes = 0; T(can(AT_FDCWD, &h, O_RDONLY));
    }
    return 0;
}
