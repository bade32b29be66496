//! Rewrites a `syscall` site after its first trap has proven that it is one.
//!
//! The page of text is replaced, as a whole and atomically (`mremap`), by a private copy in
//! which a jump to a trampoline stands in place of what surrounds the `syscall`. Replacing the
//! page makes the host flush it from every processor, which is the synchronisation that
//! cross-modifying code needs; and the folio of the page cache keeps the file's own bytes.
//!
//! Kinds of sites, with S = `0f 05`:
//! * `b8 imm32 S` (mov eax, number) and `48 c7 c0 imm32 S` (mov rax, number): the jump replaces
//!   the mov; S stays, so branches to it and threads between the two stay right;
//! * `4c 8b 4c 24 08 S` (mov r9, [rsp+8], the last argument of `syscall(2)`): the same;
//! * `S 48 3d imm32` (cmp rax, error limit; glibc and Go): the jump replaces S and the cmp, which
//!   moves to the trampoline. A thread that was stopped behind S is sent on to there.
//!
//! Everything else keeps trapping.

use crate::host::{self, mm, nr};
use crate::{carrier, user_copy};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use rkt_platform::{Protection, SpaceId, Upcalls};
use rkt_sync::Mutex;

const PAGE: u64 = 4096;
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Bytes of the longest trampoline.
const TRAMPOLINE_MAX: usize = 48;
/// Bytes of text looked at before and behind the `syscall`.
const BEFORE: usize = 7;
const BEHIND: usize = 6;
/// Other sites that are rewritten in one go.
const OTHERS_MAX: usize = 128;
/// Longest rewritten piece of text.
const TEXT_MAX: usize = 8;

static SITES: AtomicU64 = AtomicU64::new(0);
/// Whether `State::moved` has entries, to look at without the lock.
static ANY_MOVED: AtomicBool = AtomicBool::new(false);

/// Sites rewritten so far.
pub fn count() -> u64 {
    SITES.load(Ordering::Relaxed)
}

/// A page of trampolines: mapped for execution in the application's range, written through the
/// kernel's alias of the same memory. Copies of an address space share it.
struct Page {
    space: SpaceId,
    user: u64,
    memory: Arc<Memory>,
    used: usize,
}

/// A page of the kernel's heap, apart from the counter of who shares it.
struct Memory(Box<Bytes>);

/// Whoever runs what is in them sees what is written.
#[repr(align(4096))]
struct Bytes([AtomicU8; PAGE as usize]);

impl Memory {
    fn new() -> Self {
        Self(Box::new(Bytes([const { AtomicU8::new(0) }; PAGE as usize])))
    }

    fn addr(&self) -> usize {
        self.0.0.as_ptr() as usize
    }
}

/// Where threads that were stopped behind a replaced `syscall` go on.
#[derive(Clone, Copy)]
struct Moved {
    space: SpaceId,
    from: u64,
    to: u64,
}

struct State {
    pages: Vec<Page>,
    moved: Vec<Moved>,
}

/// Held for moments only, also by who has locked the areas of an address space (a fork copies what
/// belongs to the text that it copies), and never over an upcall, which may wait for that lock.
static STATE: Mutex<State> = Mutex::new(State { pages: Vec::new(), moved: Vec::new() });

/// What to do with a site.
struct Plan {
    /// Where the replaced text begins.
    start: u64,
    /// What is there, as long as `text`.
    old: ArrayBuf<TEXT_MAX>,
    text: ArrayBuf<TEXT_MAX>,
    /// Trampoline code before the entry jump: what the replaced text did.
    prologue: ArrayBuf<16>,
    /// Trampoline code behind it, if the call does not return to the site; then a jump to here.
    epilogue: Option<(ArrayBuf<16>, u64)>,
    /// Return address if it does.
    after: u64,
}

/// A short byte string.
#[derive(Clone, Copy)]
struct ArrayBuf<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> ArrayBuf<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    fn push(&mut self, from: &[u8]) {
        for byte in from {
            if let Some(to) = self.bytes.get_mut(self.len) {
                *to = *byte;
                self.len += 1;
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// Looks at the site whose trap is being served; `after` is the address behind its `syscall`. Other
/// sites of the same file that were proven before are rewritten with it.
pub fn consider(upcalls: &Upcalls, after: u64) {
    // Others may look at the same site at the same time: the areas' lock decides whose change it is.
    let Some(first) = plan(after) else { return };
    let mut others = [0; OTHERS_MAX];
    let count = (upcalls.prove)(after, &mut others).min(OTHERS_MAX);
    let mut edits: Vec<Edit> = Vec::with_capacity(count + 1);
    let others = others.iter().take(count).filter_map(|&after| plan(after));
    edits.extend(others.chain([first]).filter_map(|plan| Edit::prepare(upcalls, plan)));
    edits.sort_unstable_by_key(|edit| edit.start);
    apply(upcalls, &edits);
}

/// New text for a site.
struct Edit {
    start: u64,
    old: ArrayBuf<TEXT_MAX>,
    text: ArrayBuf<TEXT_MAX>,
    moved: Option<Moved>,
}

impl Edit {
    /// Writes the trampoline.
    fn prepare(upcalls: &Upcalls, plan: Plan) -> Option<Self> {
        let trampoline = write_trampoline(upcalls, &plan)?;
        let mut text = plan.text;
        // The jump's target: e9 rel32.
        text.bytes.get_mut(1..5)?.copy_from_slice(&distance(plan.start + 5, trampoline)?.to_le_bytes());
        let to = trampoline + (entry_len() + 2) as u64;
        let moved = plan.epilogue.is_some().then(|| Moved { space: carrier::me().space, from: plan.after, to });
        Some(Self { start: plan.start, old: plan.old, text, moved })
    }

    fn first_page(&self) -> u64 {
        self.start & !(PAGE - 1)
    }

    fn end_page(&self) -> u64 {
        (self.start + self.text.len as u64).next_multiple_of(PAGE)
    }
}

/// Edits on neighbouring pages, which are replaced in one go.
struct Run<'a> {
    page: u64,
    len: usize,
    edits: &'a [Edit],
}

/// The edits, in the order of their addresses, by pages without a gap between them.
fn runs(mut rest: &[Edit]) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    while let Some(first) = rest.first() {
        let (page, mut end) = (first.first_page(), first.end_page());
        let together = rest.iter().take_while(|edit| {
            let joined = edit.first_page() <= end;
            if joined {
                end = end.max(edit.end_page());
            }
            joined
        });
        let (edits, later) = rest.split_at(together.count());
        runs.push(Run { page, len: (end - page) as usize, edits });
        rest = later;
    }
    runs
}

/// Changes the text of sites, which lie in one mapping.
fn apply(upcalls: &Upcalls, edits: &[Edit]) {
    let runs = runs(edits);
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
    // Before the text changes: a trampoline is as good a place to go on as the old text.
    note_moved(edits);
    (upcalls.patch)(first.page, last.page + last.len as u64 - first.page, &mut || {
        SITES.fetch_add(replace(&runs) as u64, Ordering::Relaxed);
    });
}

/// Where threads go on that were stopped behind one of the sites.
fn note_moved(edits: &[Edit]) {
    let mut state = STATE.lock();
    state.moved.extend(edits.iter().filter_map(|edit| edit.moved));
    if !state.moved.is_empty() {
        ANY_MOVED.store(true, Ordering::Release);
    }
}

/// Recognises the site.
fn plan(after: u64) -> Option<Plan> {
    let site = after.checked_sub(2)?;
    let mut bytes = [0u8; BEFORE + 2 + BEHIND];
    let first = site.checked_sub(BEFORE as u64)?;
    let len = bytes.len();
    // SAFETY: the buffer is ours; the other side is user memory and may be missing.
    if unsafe { user_copy::copy(bytes.as_mut_ptr(), first as *const u8, len) } != 0 {
        return None;
    }
    let (before, rest) = bytes.split_at(BEFORE);
    let (syscall, behind) = rest.split_at(2);
    if syscall != SYSCALL {
        return None;
    }
    let mut prologue = ArrayBuf::new();
    let mut text = ArrayBuf::new();
    text.push(&[0xe9, 0, 0, 0, 0]);
    let replaced = match before {
        // Replaced already: a restarted call comes here by its `syscall`, which has to stay, since
        // the trampoline returns behind it.
        [_, _, 0xe9, ..] | [0xe9, _, _, _, _, 0x66, 0x90] => return None,
        [0x48, 0xc7, 0xc0, _, _, _, _] => before,
        [_, _, tail @ ..] if matches!(tail, [0xb8, _, _, _, _] | [0x4c, 0x8b, 0x4c, 0x24, 0x08]) => tail,
        _ => {
            let [0x48, 0x3d, ..] = behind else { return None };
            text.push(&[0x66, 0x66, 0x90]); // three-byte nop behind the jump
            let mut epilogue = ArrayBuf::new();
            epilogue.push(behind);
            let mut old = ArrayBuf::new();
            old.push(syscall);
            old.push(behind);
            return Some(Plan {
                start: site,
                old,
                text,
                prologue,
                epilogue: Some((epilogue, after + BEHIND as u64)),
                after,
            });
        }
    };
    prologue.push(replaced);
    if replaced.len() == 7 {
        text.push(&[0x66, 0x90]);
    }
    let mut old = ArrayBuf::new();
    old.push(replaced);
    Some(Plan { start: site - replaced.len() as u64, old, text, prologue, epilogue: None, after })
}

/// `rel32` from the end of an instruction to its target.
fn distance(from: u64, to: u64) -> Option<i32> {
    i32::try_from(to.wrapping_sub(from) as i64).ok()
}

/// Bytes of `lea rcx, [rip+rel32]` and `jmp gs:[entry]`.
const fn entry_len() -> usize {
    7 + 8
}

fn write_trampoline(upcalls: &Upcalls, plan: &Plan) -> Option<u64> {
    let space = carrier::me().space;
    let fits = |page: &Page| {
        page.space == space && page.used + TRAMPOLINE_MAX <= PAGE as usize && page.user.abs_diff(plan.start) < 1 << 30
    };
    if !STATE.lock().pages.iter().any(fits) {
        let page = new_page(space, upcalls, plan.start)?;
        STATE.lock().pages.push(page);
    }
    let mut state = STATE.lock();
    let page = state.pages.iter_mut().find(|page| fits(page))?;
    let start = page.user + page.used as u64;
    let mut code: ArrayBuf<TRAMPOLINE_MAX> = ArrayBuf::new();
    code.push(plan.prologue.as_slice());
    let behind_lea = start + (code.len + 7) as u64;
    // The return address: the site, or the epilogue two bytes behind the entry jump (a `syscall`
    // stands between, for calls that the kernel restarts by going back two bytes).
    let back = if plan.epilogue.is_some() { start + (code.len + entry_len() + 2) as u64 } else { plan.after };
    code.push(&[0x48, 0x8d, 0x0d]);
    code.push(&distance(behind_lea, back)?.to_le_bytes());
    code.push(&[0x65, 0xff, 0x24, 0x25]);
    code.push(&(carrier::offset::ENTRY as u32).to_le_bytes());
    if let Some((epilogue, on)) = &plan.epilogue {
        code.push(&SYSCALL);
        code.push(epilogue.as_slice());
        code.push(&[0xe9]);
        let behind_jump = start + (code.len + 4) as u64;
        code.push(&distance(behind_jump, *on)?.to_le_bytes());
    }
    // SAFETY: the page has room (`fits`), and nobody executes bytes behind `used` yet.
    unsafe {
        core::ptr::copy_nonoverlapping(code.bytes.as_ptr(), (page.memory.addr() + page.used) as *mut u8, code.len)
    };
    page.used += TRAMPOLINE_MAX;
    Some(start)
}

fn new_page(space: SpaceId, upcalls: &Upcalls, near: u64) -> Option<Page> {
    let user = (upcalls.reserve_near)(near, PAGE)?;
    let memory = Arc::new(Memory::new());
    let prot = Protection { read: true, write: false, execute: true };
    crate::space::map_folio(user, memory.addr(), PAGE, prot).ok()?;
    Some(Page { space, user, memory, used: 0 })
}

/// Puts changed copies in the place of mapped text; says how many sites it changed.
fn replace(runs: &[Run<'_>]) -> usize {
    let len: usize = runs.iter().map(|run| run.len).sum();
    let writable = [0, len, mm::PROT_READ | mm::PROT_WRITE, mm::MAP_PRIVATE | mm::MAP_ANONYMOUS, usize::MAX, 0];
    let mut changed = 0;
    // SAFETY: a fresh mapping where the host likes, in which each run has a place of its own. A copy replaces text
    // that is the same but for the sites; what replaces nothing is still ours.
    unsafe {
        let Ok(copies) = host::call(nr::MMAP, writable) else { return 0 };
        let mut next = copies;
        let mut places = Vec::with_capacity(runs.len());
        for run in runs {
            places.push((run, next, change(run, next)));
            next += run.len;
        }
        let ready = host::call(nr::MPROTECT, [copies, len, mm::PROT_READ | mm::PROT_EXEC, 0, 0, 0]).is_ok();
        for (run, copy, good) in places {
            let to = [copy, run.len, run.len, mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED, run.page as usize, 0];
            if ready && good && host::call(nr::MREMAP, to).is_ok() {
                changed += run.edits.len();
            } else {
                let _ = host::call(nr::MUNMAP, [copy, run.len, 0, 0, 0, 0]);
            }
        }
    }
    changed
}

/// Copies the text of a run to `copy` and changes it there. False if somebody else has changed or
/// replaced the text since it was looked at.
///
/// # Safety
/// `copy` must be ours and as long as the run.
unsafe fn change(run: &Run<'_>, copy: usize) -> bool {
    // SAFETY: the caller's contract; each edit lies within its run.
    unsafe {
        let mut good = user_copy::copy(copy as *mut u8, run.page as *const u8, run.len) == 0;
        for edit in run.edits {
            let to = (copy as u64 + (edit.start - run.page)) as *mut u8;
            good &= core::slice::from_raw_parts(to, edit.old.len) == edit.old.as_slice();
            core::ptr::copy_nonoverlapping(edit.text.as_slice().as_ptr(), to, edit.text.len);
        }
        good
    }
}

/// Where a thread goes on that was stopped at `rip`.
pub fn translate(rip: u64) -> u64 {
    if !ANY_MOVED.load(Ordering::Acquire) {
        return rip;
    }
    let state = STATE.lock();
    let space = carrier::me().space;
    state.moved.iter().find(|moved| moved.space == space && moved.from == rip).map_or(rip, |moved| moved.to)
}

/// Where in the program's own text a thread is that stands in a trampoline: unwinders know no other.
pub fn own_text(rip: u64) -> u64 {
    /// Bytes in front of where the call returns to: the entry, and the `syscall` that restarts it.
    const ENTRY: i64 = -(entry_len() as i64 + 2);
    const EPILOGUE: i64 = BEHIND as i64;
    if !ANY_MOVED.load(Ordering::Acquire) {
        return rip;
    }
    let state = STATE.lock();
    let space = carrier::me().space;
    if !state.pages.iter().any(|page| page.space == space && page.user == rip & !(PAGE - 1)) {
        return rip;
    }
    let stands_for = |moved: &Moved| match rip.wrapping_sub(moved.to) as i64 {
        0 => Some(moved.from),
        EPILOGUE => Some(moved.from + BEHIND as u64),
        ENTRY..=-2 => Some(moved.from - SYSCALL.len() as u64),
        _ => None,
    };
    state.moved.iter().filter(|moved| moved.space == space).find_map(stands_for).unwrap_or(rip)
}

/// A copy of an address space has the same trampolines; it adds new ones on pages of its own.
pub fn fork(parent: SpaceId, child: SpaceId) {
    let mut state = STATE.lock();
    let full = |page: &Page| Page { space: child, memory: page.memory.clone(), used: PAGE as usize, ..*page };
    let pages: Vec<Page> = state.pages.iter().filter(|page| page.space == parent).map(full).collect();
    let moved = state.moved.iter().filter(|moved| moved.space == parent);
    let moved: Vec<Moved> = moved.map(|moved| Moved { space: child, ..*moved }).collect();
    state.pages.extend(pages);
    state.moved.extend(moved);
}

/// Forgets an address space, whose areas are unmapped or which nobody runs in any more.
pub fn forget(space: SpaceId) {
    let mut state = STATE.lock();
    state.pages.retain(|page| page.space != space);
    state.moved.retain(|moved| moved.space != space);
}
