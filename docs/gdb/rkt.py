"""Commands for gdb on an enclave of the `process` platform that was started with --debug.

    gdb -p PID -x docs/gdb/rkt.py         PID is that of an `rkt-enclave` process on the host

    rkt-tasks             the tasks inside, and where each of them is in its program
    rkt-symbols [PID]     loads the symbols of the program that the attached host process runs, and of its
                          libraries: one host process is one address space. gdb has the image's own already.
    rkt-where TID         the registers with which a task left its program, and the return addresses on its stack

The programs' files are read from the host: they are there if the image was made of them.
"""

import struct

import gdb

ROW = struct.Struct("<iiII Q 16s QQQ Q")
ROWS = 1024
# The registers at the top of a kernel stack (trusted/platform/src/frame.rs).
REGISTERS = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
             "orig_rax", "rip", "rflags", "rsp", "full"]
FRAME = struct.Struct("<20Q")
PT_DYNAMIC, DT_DEBUG = 2, 21


def memory(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def words(address, count):
    return struct.unpack("<%dQ" % count, memory(address, 8 * count))


def text(address):
    out = b""
    while len(out) < 4096:
        byte = memory(address + len(out), 1)
        if byte == b"\0":
            break
        out += byte
    return out.decode(errors="replace")


class Task:
    def __init__(self, row):
        (self.tid, self.pid, self.space, _, self.stack_top, name, self.entry, self.path, self.interpreter,
         self.thread) = row
        self.name = name.split(b"\0")[0].decode(errors="replace")

    def registers(self):
        return dict(zip(REGISTERS, FRAME.unpack(memory(self.stack_top - FRAME.size, FRAME.size))))


def tasks():
    table = int(gdb.parse_and_eval("(unsigned long)&RKT_TASKS"))
    data = memory(table, ROW.size * ROWS)
    found = [Task(row) for row in ROW.iter_unpack(data)]
    return sorted((task for task in found if task.tid), key=lambda task: task.tid)


def place(address):
    line = gdb.execute("info symbol %#x" % address, to_string=True).strip()
    return "" if line.startswith("No symbol") else line


def own(tasks, pid=None):
    """The process that this host process runs: its program's path can be read here and nowhere else."""
    for task in tasks:
        if pid not in (None, task.pid):
            continue
        try:
            if text(task.path).startswith("/"):
                return task
        except gdb.MemoryError:
            pass
    raise gdb.GdbError("no program runs in this host process")


class Tasks(gdb.Command):
    """Lists the tasks in the enclave."""

    def __init__(self):
        super().__init__("rkt-tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        print("%7s %7s %5s  %-16s %-18s %s" % ("TID", "PID", "SPACE", "NAME", "AT", "IN"))
        for task in tasks():
            rip = task.registers()["rip"]
            print("%7d %7d %5d  %-16s %#-18x %s" % (task.tid, task.pid, task.space, task.name, rip, place(rip)))


def load(path, bias):
    try:
        gdb.execute("add-symbol-file %s -o %#x" % (path, bias), to_string=True)
        print("%#14x  %s" % (bias, path))
    except gdb.error as error:
        print("%#14x  %s: %s" % (bias, path, error))


class Symbols(gdb.Command):
    """Loads the symbols of a program and its libraries."""

    def __init__(self):
        super().__init__("rkt-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        task = own(tasks(), int(argument) if argument else None)
        path = text(task.path)
        with open(path, "rb") as file:
            header = file.read(64)
            entry, headers = struct.unpack_from("<QQ", header, 24)
            size, count = struct.unpack_from("<HH", header, 54)
            file.seek(headers)
            segments = [struct.unpack_from("<IIQQ", file.read(size)) for _ in range(count)]
        bias = task.entry - entry
        load(path, bias)
        for kind, _, _, address in segments:
            if kind == PT_DYNAMIC:
                self.libraries(bias + address)

    def libraries(self, dynamic):
        while True:
            tag, value = words(dynamic, 2)
            if tag == 0:
                return
            if tag == DT_DEBUG and value:
                break
            dynamic += 16
        # struct r_debug and struct link_map of link.h.
        entry = words(value, 2)[1]
        while entry:
            bias, name, _, entry = words(entry, 4)
            if text(name).startswith("/"):
                load(text(name), bias)


class Where(gdb.Command):
    """Shows where a task is in its program."""

    def __init__(self):
        super().__init__("rkt-where", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = [task for task in tasks() if str(task.tid) == argument.strip()]
        if not found:
            raise gdb.GdbError("no such task")
        registers = found[0].registers()
        for name in REGISTERS[:-1]:
            print("%-9s %#x" % (name, registers[name]))
        print("%#x  %s" % (registers["rip"], place(registers["rip"])))
        # Without unwinding: what looks like a return address.
        for at in range(registers["rsp"], registers["rsp"] + 2048, 8):
            try:
                value = words(at, 1)[0]
            except gdb.MemoryError:
                break
            if " in section .text" in place(value):
                print("%#x  %s" % (value, place(value)))


gdb.execute("set pagination off")
gdb.execute("set language c")
for signal in ["SIGSYS", "SIGSEGV", "SIGALRM"]:
    gdb.execute("handle %s nostop noprint pass" % signal, to_string=True)
Tasks()
Symbols()
Where()
