//! What an end sent, as a file for tshark (pcap, draft-ietf-opsawg-pcap), and tshark's judgment.

use crate::place::PORT;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

/// Magic number of files with times in ns, version 2.4.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: u32 = 4 << 16 | 2;
const SNAP_LEN: u32 = 262_144;
/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// A file of frames, each as it was sent.
pub struct Capture(BufWriter<File>);

impl Capture {
    /// Makes the file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
        for word in [MAGIC, VERSION, 0, 0, SNAP_LEN, ETHERNET] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self(file))
    }

    /// A frame was sent at this time, in ns.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&mut self, now: u64, frame: &[u8]) -> Result<()> {
        let len = frame.len() as u32;
        for word in [(now / 1_000_000_000) as u32, (now % 1_000_000_000) as u32, len, len] {
            self.0.write_all(&word.to_le_bytes())?;
        }
        Ok(self.0.write_all(frame)?)
    }

    /// Everything is on the disk.
    ///
    /// # Errors
    /// The disk is full.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

/// What tshark finds wrong with what the hosts of a capture sent: malformed headers, wrong checksums, sequence numbers
/// left out, acknowledgments of what was never sent. Loss happens behind the capture, so none of these
/// has an excuse.
///
/// # Errors
/// tshark is missing, or cannot read the file.
pub fn faults(path: &Path) -> Result<Vec<String>> {
    let filter = "_ws.malformed || _ws.expert.severity == error || tcp.analysis.lost_segment \
                  || tcp.analysis.ack_lost_segment";
    let checks = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE"];
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(path).args(checks.iter().flat_map(|check| ["-o", check])).args(["-Y", filter]);
    // The bytes sent are random: whatever tshark takes them for, they are not.
    tshark.args(["-d", &format!("tcp.port=={PORT},data")]);
    let output = tshark.output().context("tshark does not start: install it (`cargo xtask test` does on Debian)")?;
    ensure!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
