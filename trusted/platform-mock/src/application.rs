//! The application: a closure in the place of a program.

use crate::machine::{End, Machine, XSAVE_LEN, finish, machine, preempt};
use alloc::sync::Arc;
use core::arch::naked_asm;
use core::panic::AssertUnwindSafe;
use rkt_platform::{Fault, Registers, SpaceId, UserFault};

/// What stands for a program: called on each entry into the application, also of new threads,
/// after fork and after execve. `UserContext::registers().rip` tells which entry it is.
pub type Application = Arc<dyn Fn(&mut UserContext) + Send + Sync>;

/// Bytes that the entry code of a real platform uses at the top of a kernel stack.
const ENTRY_FRAME: usize = 1024;
/// Linux x86-64 number, called when the closure returns.
const EXIT_GROUP: u64 = 231;

/// Sets the program of an address space. Fork copies it.
pub fn set_application(space: SpaceId, application: impl Fn(&mut UserContext) + Send + Sync + 'static) {
    let space = machine().spaces.get_mut(&space.0).expect("set_application: no such address space");
    space.application = Some(Arc::new(application));
}

/// The application's side of the border.
pub struct UserContext {
    registers: *mut Registers,
}

impl UserContext {
    /// The registers, which lie at the top of the kernel stack while the kernel runs.
    pub fn registers(&mut self) -> &mut Registers {
        // SAFETY: the top of this thread's kernel stack, above the frames that run.
        unsafe { &mut *self.registers }
    }

    /// Makes a system call; gives its result.
    pub fn syscall(&mut self, number: u64, args: [u64; 6]) -> i64 {
        let registers = self.registers();
        (registers.rax, registers.orig_rax) = (number, number);
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = args;
        self.enter(|registers| (machine().config.upcalls.syscall)(registers));
        self.registers().rax as i64
    }

    /// Suffers an exception.
    pub fn fault(&mut self, fault: Fault) {
        self.registers().orig_rax = u64::MAX;
        self.enter(|registers| (machine().config.upcalls.fault)(registers, fault));
    }

    /// Is hit by the tick.
    pub fn tick(&mut self) {
        self.registers().orig_rax = u64::MAX;
        self.enter(|registers| (machine().config.upcalls.tick)(registers, false));
    }

    fn enter(&mut self, kernel: impl FnOnce(&mut Registers)) {
        preempt();
        kernel(self.registers());
        preempt();
        machine().restore();
    }

    /// Loads bytes from the application's memory.
    ///
    /// # Errors
    /// `UserFault`, where a program would get a signal; nothing says how much was loaded.
    pub fn read(&self, addr: u64, into: &mut [u8]) -> Result<(), UserFault> {
        let missing = rkt_platform::copy_from_user(into.as_mut_ptr(), addr, into.len());
        if missing == 0 { Ok(()) } else { Err(UserFault) }
    }

    /// Stores bytes to the application's memory.
    ///
    /// # Errors
    /// As [`UserContext::read`].
    pub fn write(&self, addr: u64, from: &[u8]) -> Result<(), UserFault> {
        let missing = rkt_platform::copy_to_user(addr, from.as_ptr(), from.len());
        if missing == 0 { Ok(()) } else { Err(UserFault) }
    }

    /// The vector registers, as their XSAVE image.
    pub fn vector(&self) -> [u8; XSAVE_LEN] {
        machine().here().processor.vector
    }

    /// Sets the vector registers.
    pub fn set_vector(&mut self, image: [u8; XSAVE_LEN]) {
        machine().here().processor.vector = image;
    }

    /// The FS base.
    pub fn fs_base(&self) -> u64 {
        machine().here().processor.fs_base
    }
}

impl Machine {
    /// The last step of a return to the application: loads what the kernel took out or changed.
    fn restore(&mut self) {
        let processor = &mut self.here().processor;
        // SAFETY: null, or the state of the running thread, set by `load`.
        let Some(state) = (unsafe { processor.state.as_mut() }) else {
            panic!("return to the application without its processor state");
        };
        if state.saved {
            processor.vector.copy_from_slice(&state.xsave[..XSAVE_LEN]);
            state.saved = false;
        }
    }
}

/// Leaves the kernel for the application, as `rkt_platform::enter_user`.
pub(crate) fn enter_user() -> ! {
    let top = machine().here().kernel_top;
    assert!(top != 0, "enter_user without a thread");
    // SAFETY: the top of this thread's stack, whose frames nobody needs any more.
    unsafe { restart((top - ENTRY_FRAME) & !15, run) }
}

/// Goes on with `run` on an emptied stack.
#[unsafe(naked)]
unsafe extern "C" fn restart(top: usize, run: extern "C" fn() -> !) -> ! {
    naked_asm!("mov rsp, rdi", "call rsi", "ud2")
}

extern "C" fn run() -> ! {
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let m = machine();
        m.restore();
        let registers = (m.here().kernel_top - size_of::<Registers>()) as *mut Registers;
        let application = m.here_space().application.clone().expect("enter_user without an application");
        let mut context = UserContext { registers };
        application(&mut context);
        context.syscall(EXIT_GROUP, [0; 6]);
        panic!("exit_group returned");
    }));
    match ran {
        Err(payload) => finish(End::Panic(payload)),
        Ok(()) => unreachable!("the closure ends in a panic"),
    }
}
