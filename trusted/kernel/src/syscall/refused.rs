//! Calls that only the keeper of a machine makes: the enclave has none inside.

use super::Call;
use rkt_linux_abi::{Errno, Result};

/// reboot(2), swapon(2), acct(2), ptrace(2) and their kin: what a program without the privilege gets.
pub fn not_permitted(_: &mut Call<'_>) -> Result<u64> {
    Err(Errno::EPERM)
}
