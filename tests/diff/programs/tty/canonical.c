// Canonical input: lines, editing, echoes, end of file, partial reads.
#include "tty.h"

static void types(const char *text) {
    y_type(text);
    y_shown("shown");
    y_read("read", slave, 100);
    y_read("more", slave, 100);
    tcflush(slave, TCIFLUSH);
}

int main(void) {
    y_open();
    types("hello\n"); types("cr\r"); types("abc"); types("one\ntwo\n"); types("ab\x7f" "c\n"); types("abc\x15xyz\n"); types("one two  three\x17x\n");
    types("a_b.c d\x17\x17z\n"); types("\x7f\x7f\n"); types("\x04"); types("ab\x04"); types("ab\x04\x04"); types("tab\tx\x7f\x7f\x7f\n"); types("\t\t\x7f\n"); types("ctl\x01\x02\x7f\n");
    types("v\x16\x03\x16\x7f\n"); types("re\x12print\n"); types("\x0f\n"); types("e\x1b[A\n"); types("\xc3\xa9\x7f\n"); types("zero\x16\x04\n");
    Y_MODES(m.c_iflag |= IUTF8); types("\xc3\xa9\xe2\x82\xac\x7f\x7f\n"); types("w\xc3\xa9 \xc3\xa9\x17\n");
    Y_MODES(m.c_lflag &= ~ECHO); types("silent\x7f\n"); types("kill\x15x\n"); Y_MODES(m.c_lflag |= ECHONL); types("nl\n");
    Y_MODES(m.c_lflag |= ECHO; m.c_lflag &= ~ECHOE); types("ab\x7f\n"); types("ab cd\x17\n"); types("ab\x15\n");
    Y_MODES(m.c_lflag |= ECHOE; m.c_lflag &= ~ECHOKE); types("ab\x15" "c\n"); Y_MODES(m.c_lflag &= ~ECHOK); types("ab\x15" "c\n");
    Y_MODES(m.c_lflag |= ECHOK | ECHOKE | ECHOPRT); types("abc\x7f\x7f" "d\n"); types("ab\x15\n"); types("ab\x7f\x7f\n");
    Y_MODES(m.c_lflag &= ~(ECHOPRT | ECHOCTL)); types("c\x01\x7f\n"); types("\x03\n");
    Y_MODES(m.c_lflag |= ECHOCTL; m.c_lflag &= ~IEXTEN); types("a b\x17\n"); types("\x16\x7f\n"); types("re\x12\n");
    Y_MODES(m.c_lflag |= IEXTEN; m.c_cc[VEOL] = ';'; m.c_cc[VEOL2] = '!'); types("a;b!c\n"); types(";");
    Y_MODES(m.c_cc[VERASE] = 'X'; m.c_cc[VEOF] = 0; m.c_cc[VEOL] = 0); types("abXc\n"); types("\x04\n");
    // Parts of a line, and a line of just the size.
    Y_MODES(m.c_cc[VEOF] = 4);
    y_type("abcdef\nxy\n");
    for (int i = 0; i < 5; i++) y_read("part", slave, 3);
    y_type("abc\x04" "def\n");
    y_read("exact", slave, 3); y_read("next", slave, 3); y_read("last", slave, 3);
    int n;
    y_type("wait");
    T(ioctl(slave, FIONREAD, &n)); N(n);
    y_type("ing\n\x04next\n");
    T(ioctl(slave, FIONREAD, &n)); N(n);
    y_read("read", slave, 100); y_read("read", slave, 100); y_read("read", slave, 100);
    return 0;
}
