//! The catalogue of events. An id, once used, keeps its meaning.

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Only shown when somebody asks for the log.
    Debug,
    /// Life goes as planned.
    Info,
    /// Something outside misbehaved or is missing; the program goes on.
    Warning,
    /// The enclave gave up, or never started.
    Fatal,
}

/// One integer of an event, and how people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Decimal, under this name.
    Dec(&'static str),
    /// Hexadecimal, under this name.
    Hex(&'static str),
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $severity:ident, $text:literal, [$($kind:ident $field:literal),*];)*) => {
        /// What can be logged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Event {
            $($(#[$doc])* $name = $id,)*
        }

        impl Event {
            /// Every event, in order of its id.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The event with this id.
            pub const fn from_id(id: u16) -> Option<Self> {
                match id {
                    $($id => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// What it means, as a clause without a full stop.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What its integers are.
            pub const fn fields(self) -> &'static [Field] {
                match self {
                    $(Self::$name => &[$(Field::$kind($field)),*],)*
                }
            }
        }
    };
}

events! {
    /// The manifest was accepted. Its SHA-256, as four big-endian words.
    Boot = 1, Debug, "booting under manifest", [Hex "sha256_0", Hex "sha256_1", Hex "sha256_2", Hex "sha256_3"];
    /// The program's first instruction is next.
    Started = 2, Debug, "program started", [Dec "boot_us"];
    /// The program ended by itself.
    Exited = 3, Debug, "program exited", [Dec "status"];
    /// The program died of a signal.
    Signalled = 4, Debug, "program died of a signal", [Dec "signal"];
    /// A device broke its specification and is no longer used. `rule` is the driver's number
    /// for the broken rule, `value` what the device said.
    DeviceError = 16, Warning, "a device broke its specification and is shut down", [Dec "slot", Dec "rule", Hex "value"];
    /// A device did not answer within its time.
    DeviceSilent = 17, Warning, "a device does not answer", [Dec "slot", Dec "waited_ms"];
    /// A device slot holds a device that no driver knows.
    DeviceUnknown = 18, Warning, "no driver for a device", [Dec "slot", Hex "id"];
    /// The host's ring index is impossible; the stream is closed.
    RingError = 19, Warning, "the host broke a stdio or log ring", [Dec "ring", Dec "own", Dec "peer"];
    /// The host's clock jumped and was not believed.
    ClockJump = 20, Warning, "the host's clock jumped", [Dec "expected_ns", Dec "seen_ns"];
    /// The host asked for a signal that the manifest does not accept.
    SignalRefused = 21, Warning, "the manifest does not accept a signal that the host sent", [Dec "signal"];
    /// What interception did, at the end of the run.
    PatchStatistics = 32, Debug, "system call sites", [Dec "patched", Dec "trapping", Dec "traps"];
    /// A system call that the kernel does not have; logged once a number.
    UnknownSyscall = 33, Debug, "the program made a system call that does not exist here", [Dec "number"];
    /// Log records that found the ring full.
    Dropped = 34, Warning, "log records were lost", [Dec "count"];
    /// Something about a disk's file system, in words.
    Disk = 35, Warning, "disk", [];
    /// An assertion of the enclave's own code failed.
    Panic = 48, Fatal, "internal error in the enclave; please report it", [Hex "address", Dec "line"];
    /// The enclave's own code took a fault.
    KernelFault = 49, Fatal, "internal fault in the enclave; please report it", [Dec "signal", Hex "ip", Hex "address"];
    /// The window's header makes no sense.
    BadWindow = 64, Fatal, "the window that the host gave is malformed", [];
    /// The manifest does not decode, or asks for what this enclave cannot do.
    BadManifest = 65, Fatal, "the manifest is malformed or asks for something unknown", [];
    /// The root image's digest differs from the manifest's.
    ImageDigest = 66, Fatal, "the root image is not the one that the manifest pins", [];
    /// The root image is shorter than its own header says.
    ImageTruncated = 67, Fatal, "the root image is truncated", [Dec "needed", Dec "present"];
    /// The root image's contents make no sense.
    ImageMalformed = 68, Fatal, "the root image is malformed", [];
    /// Memory ran out during start-up.
    NoMemory = 69, Fatal, "not enough memory", [Dec "needed", Dec "granted"];
    /// The processor has no random source.
    NoEntropy = 70, Fatal, "this processor has no hardware random source (RDRAND)", [];
    /// The processor lacks an instruction that the enclave needs.
    ProcessorFeature = 71, Fatal, "this processor or kernel lacks something that the enclave needs", [];
    /// The host refused a call of lockdown (seccomp, no_new_privs).
    Lockdown = 72, Fatal, "the host kernel refused the lockdown", [Dec "errno"];
    /// The host refused a call that start-up needs.
    HostRefused = 73, Fatal, "the host kernel refused a call that the enclave needs", [Dec "call", Dec "errno"];
    /// The program is no ELF file that can run here.
    ElfInvalid = 74, Fatal, "the program is not an executable that can run here", [];
    /// The program's ELF interpreter or `#!` interpreter is not in the image.
    InterpreterMissing = 75, Fatal, "the program's interpreter is not in the image", [];
    /// The program is not in the image.
    ProgramNotFound = 76, Fatal, "the program is not in the image", [];
    /// The program is there, but may not be executed.
    ProgramNotExecutable = 77, Fatal, "the program may not be executed", [];
    /// The working directory of the manifest does not exist.
    NoWorkdir = 78, Fatal, "the working directory is not in the image", [];
    /// A user or group of the manifest is not in the image's `/etc/passwd` or `/etc/group`.
    NoUser = 79, Fatal, "the user is not in the image", [];
    /// A device that the manifest requires is absent or refused to start.
    NoDevice = 80, Fatal, "a device that the manifest asks for is missing or did not start", [Dec "slot"];
}
