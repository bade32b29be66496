// Who am I: pids, sessions, names, limits of the machine.
#include "t.h"
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int main(void) {
    C(getpid() > 0 && getpid() == syscall(SYS_gettid));
    C(getppid() >= 0 && getppid() != getpid());
    C(getpgid(0) == getpgrp() && getpgrp() > 0);
    C(getsid(0) >= 0);
    T(getpgid(99999999));
    T(getsid(99999999));
    T(setpgid(0, -1));
    T(setpgid(99999999, 0));
    struct utsname u;
    T(uname(&u));
    S(u.sysname); S(u.machine);
    C(strlen(u.nodename) > 0 && strlen(u.release) > 2 && strlen(u.version) > 0);
    C(atoi(u.release) >= 4);
    struct sysinfo s;
    T(sysinfo(&s));
    C(s.totalram > 0 && s.freeram > 0 && s.freeram <= s.totalram && s.mem_unit > 0 && s.procs > 0 && s.uptime >= 0);
    char name[20] = "";
    T(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
    T(prctl(PR_GET_NAME, name)); S(name);
    T(prctl(PR_SET_NAME, BAD));
    T(prctl(PR_GET_DUMPABLE));
    T(prctl(PR_SET_DUMPABLE, 0));
    T(prctl(PR_GET_DUMPABLE));
    T(prctl(PR_SET_DUMPABLE, 7));
    T(prctl(PR_SET_PDEATHSIG, 9));
    int signal = 0;
    T(prctl(PR_GET_PDEATHSIG, &signal)); N(signal);
    T(prctl(PR_SET_PDEATHSIG, 99));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_GET_KEEPCAPS));
    T(prctl(99999));
    T(personality(0xffffffff));
    N(sysconf(_SC_PAGESIZE));
    C(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    C(gethostname(name, sizeof name) == 0 || errno == ENAMETOOLONG);
    T(isatty(0)); T(isatty(1));
    return 0;
}
