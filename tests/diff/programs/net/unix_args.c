// AF_UNIX: arguments of socket, bind, connect, listen, accept, names, in the order in which they are checked.
// diff: libc=glibc
#include "net/n.h"
#include <stddef.h>
#define HEAD offsetof(struct sockaddr_un, sun_path)
static struct sockaddr_un name(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    return a;
}
static void shown(const char *what, int (*call)(int, struct sockaddr *, socklen_t *), int s, socklen_t room) {
    struct { struct sockaddr_un a; char more[16]; } buffer;
    memset(&buffer, 'x', sizeof buffer);
    socklen_t len = room;
    int result = call(s, (void *)&buffer, &len);
    printf("%s in %d bytes: %s, length %d", what, (int)room, result ? t_name(errno) : "ok", (int)len);
    if (!result && len > HEAD && room >= len && buffer.a.sun_path[0]) printf(", [%.*s]", (int)(len - HEAD), buffer.a.sun_path);
    if (!result && len > HEAD && room >= len && !buffer.a.sun_path[0]) printf(", abstract [%.*s]", (int)(len - HEAD - 1), buffer.a.sun_path + 1);
    printf(", %s\n", room < sizeof buffer && ((char *)&buffer)[room] == 'x' ? "not written beyond" : "written beyond");
}
int main(void) {
    t_scratch();
    Z(socket(AF_UNIX, SOCK_STREAM, 1)); Z(socket(AF_UNIX, SOCK_STREAM, 2)); Z(socket(AF_UNIX, SOCK_STREAM, -1)); Z(socket(AF_UNIX, SOCK_RAW, 0)); Z(socket(AF_UNIX, SOCK_RDM, 0));
    Z(socket(AF_UNIX, SOCK_PACKET, 0)); Z(socket(AF_UNIX, 0, 0)); Z(socket(AF_UNIX, 0, 9)); Z(socket(AF_UNIX, SOCK_RDM, 9)); Z(socket(AF_UNIX, 11, 0)); Z(socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
    int r = socket(AF_UNIX, SOCK_RAW, 0), s = socket(AF_UNIX, SOCK_STREAM, 0);
    GET(r, SOL_SOCKET, SO_TYPE); GET(s, SOL_SOCKET, SO_PROTOCOL); GET(s, SOL_SOCKET, SO_DOMAIN);
    int p = socket(AF_UNIX, SOCK_STREAM, 1);
    GET(p, SOL_SOCKET, SO_PROTOCOL);
    shown("unbound", getsockname, s, 110); shown("unbound", getsockname, s, 2); shown("unbound", getsockname, s, 1); shown("unbound", getsockname, s, 0); shown("unbound", getsockname, s, -1);
    shown("not connected", getpeername, s, 110);
    struct sockaddr_un a = name("a"), long_one = {.sun_family = AF_UNIX};
    memset(long_one.sun_path, 'l', sizeof long_one.sun_path);
    // Lengths.
    T(bind(s, (void *)&a, 0)); T(bind(s, (void *)&a, 1)); T(bind(s, (void *)&a, -1)); T(bind(s, (void *)&a, sizeof a + 1)); T(bind(s, (void *)&a, 128)); T(bind(s, (void *)&a, 129));
    T(bind(s, NULL, 2)); T(bind(s, BAD, sizeof a)); T(bind(s, NULL, 0));
    struct sockaddr_un wrong = a;
    wrong.sun_family = AF_INET; T(bind(s, (void *)&wrong, sizeof wrong)); T(bind(s, (void *)&wrong, 2)); T(connect(s, (void *)&wrong, sizeof wrong)); T(connect(s, (void *)&wrong, 1));
    wrong.sun_family = AF_UNSPEC; T(bind(s, (void *)&wrong, sizeof wrong)); T(connect(s, (void *)&wrong, sizeof wrong)); T(connect(s, (void *)&wrong, 2));
    T(listen(s, 5)); T(accept(s, NULL, NULL)); T(getpeername(s, (void *)&a, &(socklen_t){110}));
    T(bind(s, (void *)&long_one, sizeof long_one)); shown("108 bytes of path", getsockname, s, 126); shown("108 bytes of path", getsockname, s, 110);
    T(unlink("llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"));
    T(bind(s, (void *)&a, sizeof a)); T(bind(s, (void *)&a, HEAD)); T(bind(s, (void *)&a, sizeof a + 1));
    close(s); s = socket(AF_UNIX, SOCK_STREAM, 0);
    T(bind(s, (void *)&a, HEAD + 1)); shown("one byte of path without NUL", getsockname, s, 110); shown("the same", getsockname, s, 4); shown("the same", getsockname, s, 3);
    struct stat st;
    T(stat("a", &st)); C(S_ISSOCK(st.st_mode)); printf("mode %o\n", st.st_mode & 07777);
    int s2 = socket(AF_UNIX, SOCK_STREAM, 0);
    T(bind(s2, (void *)&a, sizeof a)); T(unlink("a")); T(bind(s2, (void *)&a, HEAD + 2)); shown("with NUL", getsockname, s2, 110); T(bind(s2, (void *)&a, HEAD + 2)); T(bind(s2, (void *)&(struct sockaddr_un){AF_UNIX, "b"}, HEAD + 2)); T(access("b", F_OK));
    T(access("b", F_OK) ? 0 : unlink("b"));
    // Paths.
    int s3 = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un in_dir = name("nodir/a"), in_file = name("file/a"), dot = name("."), slash = name("a/"), empty = name("");
    close(t_file("file", ""));
    T(bind(s3, (void *)&in_dir, sizeof a)); T(bind(s3, (void *)&in_file, sizeof a)); T(bind(s3, (void *)&dot, sizeof a)); T(bind(s3, (void *)&slash, sizeof a));
    T(connect(s3, (void *)&in_dir, sizeof a)); T(connect(s3, (void *)&in_file, sizeof a)); T(connect(s3, (void *)&dot, sizeof a)); T(connect(s3, (void *)&slash, sizeof a));
    struct sockaddr_un file = name("file"), none = name("none"), dangling = name("dangling"), via = name("via");
    T(symlink("nowhere", "dangling")); T(symlink("a", "via"));
    T(connect(s3, (void *)&file, sizeof a)); T(connect(s3, (void *)&none, sizeof a)); T(connect(s3, (void *)&dangling, sizeof a)); T(bind(s3, (void *)&dangling, sizeof a)); T(bind(s3, (void *)&file, sizeof a));
    T(connect(s3, (void *)&a, sizeof a)); T(connect(s3, (void *)&via, sizeof a)); T(connect(s3, (void *)&empty, HEAD)); T(connect(s3, (void *)&empty, HEAD + 1)); T(connect(s3, (void *)&empty, sizeof a));
    T(listen(s2, 1)); T(connect(s3, (void *)&via, sizeof a)); shown("peer", getpeername, s3, 110); T(connect(s3, (void *)&a, sizeof a)); T(connect(s3, (void *)&none, sizeof a)); T(connect(s3, (void *)&a, 1)); T(listen(s3, 1)); T(accept(s3, NULL, NULL));
    T(bind(s3, (void *)&none, sizeof a)); T(listen(s3, 1)); shown("bound when connected", getsockname, s3, 110);
    T(connect(s2, (void *)&a, sizeof a)); T(listen(s2, -1)); T(listen(s2, 0));
    struct sockaddr_un from; socklen_t len = sizeof from;
    int c = accept(s2, (void *)&from, &len); C(c >= 0); N(len); shown("accepted", getsockname, c, 110); shown("its peer, who was named later", getpeername, c, 110);
    // Autobind.
    int auto_ = socket(AF_UNIX, SOCK_DGRAM, 0), auto2 = socket(AF_UNIX, SOCK_DGRAM, 0);
    T(bind(auto_, (void *)&a, HEAD)); len = sizeof from; T(getsockname(auto_, (void *)&from, &len)); N(len); N(from.sun_path[0]);
    C(strspn(from.sun_path + 1, "0123456789abcdef") >= 5); T(bind(auto_, (void *)&a, HEAD)); T(bind(auto_, (void *)&a, sizeof a));
    T(connect(auto2, (void *)&from, len)); T(bind(auto2, (void *)&from, len)); shown("autobound peer", getpeername, auto2, 2);
    // Abstract names have no end but their length.
    struct sockaddr_un abstract = {AF_UNIX, "\0rkt-net-args"};
    int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
    T(bind(x, (void *)&abstract, HEAD + 9)); T(bind(y, (void *)&abstract, HEAD + 9)); T(bind(y, (void *)&abstract, HEAD + 10)); shown("abstract", getsockname, x, 110); shown("longer", getsockname, y, 110);
    T(connect(x, (void *)&abstract, HEAD + 10)); T(connect(y, (void *)&abstract, HEAD + 11)); T(connect(y, (void *)&abstract, sizeof abstract)); T(connect(y, (void *)&abstract, HEAD + 9)); close(x); T(connect(y, (void *)&abstract, HEAD + 9));
    int z = socket(AF_UNIX, SOCK_DGRAM, 0); T(bind(z, (void *)&abstract, HEAD + 9)); T(bind(z, (void *)&abstract, HEAD + 9)); T(bind(z, (void *)&none, sizeof none));
    // Kinds that do not fit each other.
    T(connect(z, (void *)&a, sizeof a)); int q = socket(AF_UNIX, SOCK_SEQPACKET, 0); T(connect(q, (void *)&a, sizeof a)); T(connect(q, (void *)&abstract, HEAD + 9)); T(listen(z, 1)); T(accept(z, NULL, NULL)); T(accept(q, NULL, NULL));
    T(accept4(s2, NULL, NULL, 1)); T(accept4(-1, NULL, NULL, 1)); T(accept4(0, NULL, NULL, 0)); T(accept4(-1, NULL, NULL, 0)); T(accept4(s2, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC | 4));
    return 0;
}
