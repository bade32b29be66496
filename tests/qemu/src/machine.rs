//! A machine with one device and nobody in it.

use crate::{Bar, Function, Qtest, VirtioPci};
use anyhow::{Context, Result, ensure};
use rkt_tests_nvme::map_file;
use rkt_virtqueue::DmaArena;
use rkt_window::Window;
use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Bytes of memory.
pub const RAM_LEN: usize = 128 << 20;
/// Where the memory is ours: the first MiB has holes.
const DMA: usize = 16 << 20;
/// Where the device is put: its slot on the bus, and its BAR.
const SLOT: u8 = 4;
const BAR: u32 = 0xe000_0000;
/// How long QEMU may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running QEMU; it ends with this.
pub struct Machine {
    process: Child,
    qtest: Arc<Mutex<Qtest>>,
    window: Window,
    // Its files; last, so that they outlive the process.
    _folder: TempDir,
}

/// Firmware that halts: the reset vector, 16 bytes from the end, is `cli; hlt; jmp -3`.
fn firmware() -> Vec<u8> {
    let mut code = vec![0xf4; 64 << 10];
    code.splice(0xfff0..0xfff4, [0xfa, 0xf4, 0xeb, 0xfd]);
    code
}

impl Machine {
    /// Starts QEMU with these arguments beside the machine itself. The device has to be at `addr=4`.
    ///
    /// # Errors
    /// QEMU is missing, or does not like the arguments.
    pub fn start(arguments: &[String]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let ram = File::options().read(true).write(true).create_new(true).open(path("ram"))?;
        ram.set_len(RAM_LEN as u64)?;
        fs::write(path("halt.bin"), firmware())?;
        let listener = UnixListener::bind(path("qtest"))?;
        let memory = format!("memory-backend-file,id=ram,size={RAM_LEN},mem-path={},share=on", path("ram").display());
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg"]);
        command.args(["-machine", "q35,memory-backend=ram", "-m", &(RAM_LEN >> 20).to_string(), "-object", &memory]);
        command.arg("-bios").arg(path("halt.bin"));
        command.args(["-qtest", &format!("unix:{}", path("qtest").display()), "-qtest-log", "none"]);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::from(File::create(path("stderr"))?));
        let process = command.spawn().context(
            "qemu-system-x86_64 does not start: install qemu-system-x86 10 (`cargo xtask test` does on Debian)",
        )?;
        let mut machine = Starting { process: Some(process) };
        let socket = machine.accept(&listener).with_context(|| {
            let said = fs::read_to_string(path("stderr")).unwrap_or_default();
            format!("QEMU says: {said}")
        })?;
        let qtest = Arc::new(Mutex::new(Qtest::new(socket)?));
        let process = machine.process.take().context("a process")?;
        Ok(Self { process, qtest, window: map_file(&ram, RAM_LEN), _folder: folder })
    }

    /// The registers of an NVMe controller.
    ///
    /// # Errors
    /// There is no controller.
    pub fn bar(&self) -> Result<Bar> {
        Function::new(&self.qtest, SLOT).place(0, BAR)
    }

    /// The virtio device.
    ///
    /// # Errors
    /// There is none.
    pub fn virtio(&self) -> Result<VirtioPci> {
        VirtioPci::new(&Function::new(&self.qtest, SLOT), BAR)
    }

    /// The machine's memory, in which the window's fixed places are ours as well: below 1 MiB QEMU sees other things.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The memory that drivers may use.
    ///
    /// # Errors
    /// None in practice.
    pub fn arena(&self) -> Result<DmaArena> {
        Ok(DmaArena::new(self.window, DMA, RAM_LEN - DMA)?)
    }

    /// Ends QEMU at once, in the middle of whatever it does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that ends unless somebody takes it.
struct Starting {
    process: Option<Child>,
}

impl Starting {
    /// Waits until QEMU connects.
    fn accept(&mut self, listener: &UnixListener) -> Result<std::os::unix::net::UnixStream> {
        listener.set_nonblocking(true)?;
        let since = Instant::now();
        loop {
            if let Ok((socket, _)) = listener.accept() {
                socket.set_nonblocking(false)?;
                return Ok(socket);
            }
            if let Some(process) = &mut self.process {
                let ended = process.try_wait()?;
                ensure!(ended.is_none(), "QEMU ended");
            }
            ensure!(since.elapsed() < START, "QEMU does not connect");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
