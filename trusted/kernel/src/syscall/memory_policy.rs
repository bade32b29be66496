//! Policies of memory on several nodes (set_mempolicy(2), mbind(2), migrate_pages(2)): there is one node here, so
//! that a policy is checked, kept and shown, and changes nothing.

use super::Call;
use crate::process;
use alloc::vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::CAP_SYS_NICE;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{UserPtr, UserSlice};

// linux/mempolicy.h
const MPOL_DEFAULT: u32 = 0;
const MPOL_PREFERRED: u32 = 1;
const MPOL_BIND: u32 = 2;
const MPOL_INTERLEAVE: u32 = 3;
const MPOL_LOCAL: u32 = 4;
const MPOL_PREFERRED_MANY: u32 = 5;
const MPOL_WEIGHTED_INTERLEAVE: u32 = 6;
const MPOL_F_STATIC_NODES: u32 = 1 << 15;
const MPOL_F_RELATIVE_NODES: u32 = 1 << 14;
const MPOL_F_NUMA_BALANCING: u32 = 1 << 13;
const MPOL_MODE_FLAGS: u32 = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;
const MPOL_F_NODE: u64 = 1;
const MPOL_F_ADDR: u64 = 2;
const MPOL_F_MEMS_ALLOWED: u64 = 4;
const MPOL_MF_STRICT: u32 = 1;
const MPOL_MF_MOVE: u32 = 2;
const MPOL_MF_MOVE_ALL: u32 = 4;

/// Most nodes that a mask may name (MAX_NUMNODES), and longest mask in bits.
const NODES_MAX: u64 = 1024;
const MASK_MAX: u64 = 4096 * 8;

/// Reads a mask of nodes: the words of it.
fn read_mask(mask: u64, max: u64) -> Result<[u64; (NODES_MAX / 64) as usize]> {
    let mut nodes = [0; (NODES_MAX / 64) as usize];
    let bits = max.wrapping_sub(1);
    if bits == 0 || mask == 0 {
        return Ok(nodes);
    }
    if bits > MASK_MAX {
        return Err(Errno::EINVAL);
    }
    let words = UserPtr::<u64>::new(mask).read_array(bits.div_ceil(64) as usize)?;
    for (at, &word) in words.iter().enumerate() {
        let rest = bits - at as u64 * 64;
        let word = if rest < 64 { word & ((1 << rest) - 1) } else { word };
        match nodes.get_mut(at) {
            Some(node) => *node = word,
            None if word != 0 => return Err(Errno::EINVAL),
            None => {}
        }
    }
    Ok(nodes)
}

/// Checks mode and nodes as the kernel's manual asks (set_mempolicy(2)); gives what is kept.
fn policy(mode: u32, mask: u64, max: u64) -> Result<u32> {
    let (flags, mode) = (mode & MPOL_MODE_FLAGS, mode & !MPOL_MODE_FLAGS);
    let both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
    if mode > MPOL_WEIGHTED_INTERLEAVE || flags & both == both {
        return Err(Errno::EINVAL);
    }
    if flags & MPOL_F_NUMA_BALANCING != 0 && mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY {
        return Err(Errno::EINVAL);
    }
    let nodes = read_mask(mask, max)?;
    let empty = nodes.iter().all(|&word| word == 0);
    let refused = match mode {
        MPOL_DEFAULT => !empty,
        MPOL_LOCAL => !empty || flags & both != 0,
        MPOL_PREFERRED if empty => flags & both != 0,
        // A relative mask is folded onto the nodes that there are.
        _ => empty || flags & MPOL_F_RELATIVE_NODES == 0 && nodes.first().is_none_or(|word| word & 1 == 0),
    };
    if refused {
        return Err(Errno::EINVAL);
    }
    Ok(if mode == MPOL_PREFERRED && empty { MPOL_LOCAL | flags } else { mode | flags })
}

/// The one node, as a mask of nodes, or none.
fn write_mask(mask: u64, max: u64, node: bool) -> Result<()> {
    let len = (max.saturating_sub(1).div_ceil(64) as usize).saturating_mul(8).min((NODES_MAX / 8) as usize);
    let mut bytes = vec![0u8; len];
    if let Some(first) = bytes.first_mut() {
        *first = u8::from(node);
    }
    UserSlice::new(mask, len)?.write_all(&bytes)
}

/// set_mempolicy(2).
pub fn set_mempolicy(call: &mut Call<'_>, mode: u32, mask: u64, max: u64) -> Result<u64> {
    let policy = policy(mode, mask, max)?;
    call.task.memory_policy.store(policy, Ordering::Relaxed);
    Ok(0)
}

/// get_mempolicy(2).
pub fn get_mempolicy(call: &mut Call<'_>, mode: u64, mask: u64, max: u64, addr: u64, flags: u64) -> Result<u64> {
    if mask != 0 && max < 1 || flags & !(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) != 0 {
        return Err(Errno::EINVAL);
    }
    let has = |flag| flags & flag != 0;
    let own = call.task.memory_policy.load(Ordering::Relaxed);
    let (shown, node) = if has(MPOL_F_MEMS_ALLOWED) {
        if has(MPOL_F_NODE) || has(MPOL_F_ADDR) {
            return Err(Errno::EINVAL);
        }
        (MPOL_DEFAULT, true)
    } else {
        let policy = match has(MPOL_F_ADDR) {
            true => {
                let mm = call.task.process.mm();
                let of_area = mm.lock_to_look().find(addr).map(|area| area.marks.memory_policy);
                of_area.ok_or(Errno::EFAULT).map(|policy| if policy == MPOL_DEFAULT { own } else { policy })?
            }
            false if addr != 0 => return Err(Errno::EINVAL),
            false => own,
        };
        let interleaves = matches!(policy & !MPOL_MODE_FLAGS, MPOL_INTERLEAVE | MPOL_WEIGHTED_INTERLEAVE);
        if has(MPOL_F_NODE) && !has(MPOL_F_ADDR) && !interleaves {
            return Err(Errno::EINVAL);
        }
        // The number of the node that the page is on, or that the next one will be on, is 0.
        let shown = if has(MPOL_F_NODE) { 0 } else { policy };
        (shown, !matches!(policy & !MPOL_MODE_FLAGS, MPOL_DEFAULT | MPOL_LOCAL))
    };
    if mode != 0 {
        UserPtr::<u32>::new(mode).write(&shown)?;
    }
    if mask != 0 {
        write_mask(mask, max, node)?;
    }
    Ok(0)
}

/// mbind(2).
pub fn mbind(call: &mut Call<'_>, addr: u64, len: u64, mode: u32, mask: u64, max: u64, flags: u32) -> Result<u64> {
    let policy = policy(mode, mask, max)?;
    if flags & !(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & MPOL_MF_MOVE_ALL != 0 && !call.task.process.credentials().capable(CAP_SYS_NICE) {
        return Err(Errno::EPERM);
    }
    let (start, end) = crate::mm::range(addr, len).map_err(|_| Errno::EINVAL)?;
    if start < end {
        call.task.process.mm().set_memory_policy(start, end, policy)?;
    }
    Ok(0)
}

/// migrate_pages(2): all pages are where they are to be.
pub fn migrate_pages(call: &mut Call<'_>, pid: i32, max: u64, old: u64, new: u64) -> Result<u64> {
    read_mask(old, max)?;
    let nodes = read_mask(new, max)?;
    let process = match pid {
        0 => call.task.process.clone(),
        _ => process::find_task(pid).ok_or(Errno::ESRCH)?.process.clone(),
    };
    if !process.may_be_inspected_by(&call.task.process) {
        return Err(Errno::EPERM);
    }
    if nodes.first().is_none_or(|word| word & 1 == 0) { Err(Errno::EINVAL) } else { Ok(0) }
}
