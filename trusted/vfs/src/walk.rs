//! Path resolution (path_resolution(7), openat2(2)).

use crate::attr::FileType;
use crate::cred::{Credentials, MAY_EXEC};
use crate::inode::LinkTarget;
use crate::mount::Path;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use rkt_linux_abi::general::{
    MS_NOSYMFOLLOW, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use rkt_linux_abi::{Errno, Result};

/// Longest path with its NUL.
pub const PATH_MAX: usize = 4096;
/// Longest name.
pub const NAME_MAX: usize = 255;
/// Most symbolic links in one resolution (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// From where and for whom paths are resolved. Cheap to clone; the kernel keeps one a process
/// and replaces it on chdir, chroot, umask and setuid.
#[derive(Clone)]
pub struct FsContext {
    /// The root directory.
    pub root: Path,
    /// The working directory.
    pub cwd: Path,
    /// The file mode creation mask.
    pub umask: u32,
    /// Who asks.
    pub credentials: Arc<Credentials>,
}

/// How to resolve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resolve {
    /// Follow a symbolic link at the end.
    pub follow: bool,
    /// An empty path means the base itself (`AT_EMPTY_PATH`).
    pub allow_empty: bool,
    /// The result must be a directory.
    pub directory: bool,
    /// `RESOLVE_` flags of openat2(2).
    pub restrict: u32,
}

impl Resolve {
    /// Follows a symbolic link at the end.
    pub const FOLLOW: Self = Self { follow: true, allow_empty: false, directory: false, restrict: 0 };
    /// Stops at a symbolic link at the end.
    pub const NO_FOLLOW: Self = Self { follow: false, ..Self::FOLLOW };
}

/// The last component of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name that may or may not exist.
    Name(Vec<u8>),
    /// ".".
    Dot,
    /// "..".
    DotDot,
    /// There is none: the path is "/".
    Root,
}

/// The directory that a path's last component is in.
pub struct Parent {
    /// The directory.
    pub dir: Path,
    /// The last component.
    pub last: Last,
    /// Whether slashes follow it.
    pub slash: bool,
}

impl FsContext {
    /// Resolves a path to something that exists. `base` is where a relative path starts: the
    /// working directory if none.
    ///
    /// # Errors
    /// As path_resolution(7): `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`; `EXDEV`
    /// under the `RESOLVE_` flags.
    pub fn resolve(&self, base: Option<&Path>, path: &[u8], how: Resolve) -> Result<Path> {
        if path.is_empty() && how.allow_empty {
            return Ok(base.unwrap_or(&self.cwd).clone());
        }
        let mut walk = Walk::start(self, base, path, how)?;
        while let Some(component) = walk.next()? {
            walk.enter(&component, how.follow)?;
        }
        if (walk.slash || how.directory) && !walk.at.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(walk.at)
    }

    /// Resolves all but the last component of a path, which may be a name that does not exist.
    ///
    /// # Errors
    /// As [`FsContext::resolve`].
    pub fn resolve_parent(&self, base: Option<&Path>, path: &[u8], restrict: u32) -> Result<Parent> {
        let how = Resolve { restrict, ..Resolve::NO_FOLLOW };
        let walk = Walk::start(self, base, path, how)?;
        self.walk_parent(walk)
    }

    fn walk_parent(&self, mut walk: Walk<'_>) -> Result<Parent> {
        loop {
            let Some(component) = walk.next()? else {
                return Ok(Parent { dir: walk.at, last: Last::Root, slash: true });
            };
            if component.last {
                let last = match walk.name(&component) {
                    b"." => Last::Dot,
                    b".." => Last::DotDot,
                    name => Last::Name(name.to_vec()),
                };
                return Ok(Parent { dir: walk.at, last, slash: walk.slash });
            }
            walk.enter(&component, true)?;
        }
    }

    /// Goes on from a symbolic link found at the end, as `open(O_CREAT)` must: gives the
    /// parent of what the link names, or the object of a magic link.
    ///
    /// # Errors
    /// As [`FsContext::resolve`]; `ELOOP` after 40 rounds, which `links` counts.
    pub(crate) fn follow_to_parent(&self, dir: &Path, link: &Path, restrict: u32, links: &mut u32) -> Result<Followed> {
        *links += 1;
        if *links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        check_link(link, restrict)?;
        match link.inode().link_target()? {
            LinkTarget::Jump(path) => {
                jump_allowed(restrict)?;
                Ok(Followed::Object(path))
            }
            LinkTarget::Text(text) => {
                let how = Resolve { restrict, ..Resolve::NO_FOLLOW };
                let mut walk = Walk::start(self, Some(dir), &text, how)?;
                walk.links = *links;
                Ok(Followed::Parent(self.walk_parent(walk)?))
            }
        }
    }
}

/// Where a symbolic link at the end leads.
pub(crate) enum Followed {
    Object(Path),
    Parent(Parent),
}

fn check_link(link: &Path, restrict: u32) -> Result<()> {
    if restrict & RESOLVE_NO_SYMLINKS != 0 || link.mount.flags() & MS_NOSYMFOLLOW != 0 {
        return Err(Errno::ELOOP);
    }
    Ok(())
}

fn jump_allowed(restrict: u32) -> Result<()> {
    if restrict & RESOLVE_NO_MAGICLINKS != 0 {
        return Err(Errno::ELOOP);
    }
    if restrict & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0 { Err(Errno::EXDEV) } else { Ok(()) }
}

struct Component {
    /// Where the name is in the path.
    name: Range<usize>,
    /// Nothing but slashes follows.
    last: bool,
}

/// A resolution under way.
struct Walk<'a> {
    context: &'a FsContext,
    /// Where ".." stops and absolute links start: the root, or the base of `RESOLVE_IN_ROOT`.
    root: Path,
    at: Path,
    text: Cow<'a, [u8]>,
    next: usize,
    /// Whether the last component was followed by a slash.
    slash: bool,
    links: u32,
    restrict: u32,
}

impl<'a> Walk<'a> {
    fn start(context: &'a FsContext, base: Option<&Path>, path: &'a [u8], how: Resolve) -> Result<Self> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let base = base.unwrap_or(&context.cwd);
        let confined = how.restrict & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0;
        let root = if confined { base.clone() } else { context.root.clone() };
        let absolute = path.first() == Some(&b'/');
        if absolute && how.restrict & RESOLVE_BENEATH != 0 {
            return Err(Errno::EXDEV);
        }
        let at = if absolute { root.clone() } else { base.clone() };
        let text = Cow::Borrowed(path);
        Ok(Self { context, root, at, text, next: 0, slash: false, links: 0, restrict: how.restrict })
    }

    /// Takes the next component off the path; checks that there may be one.
    fn next(&mut self) -> Result<Option<Component>> {
        let rest = self.text.get(self.next..).unwrap_or(&[]);
        let Some(start) = rest.iter().position(|&byte| byte != b'/') else {
            return Ok(None);
        };
        if !self.at.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.context.credentials.check(&self.at.inode().access(), MAY_EXEC)?;
        let rest = rest.get(start..).unwrap_or(&[]);
        let len = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let last = behind.iter().all(|&byte| byte == b'/');
        self.slash = !behind.is_empty();
        let begin = self.next + start;
        self.next = begin + len;
        Ok(Some(Component { name: begin..self.next, last }))
    }

    fn name(&self, component: &Component) -> &[u8] {
        self.text.get(component.name.clone()).unwrap_or(&[])
    }

    fn enter(&mut self, component: &Component, follow_last: bool) -> Result<()> {
        match self.name(component) {
            b"." => Ok(()),
            b".." => self.go_up(),
            name => {
                let child = self.at.with(self.at.dentry.lookup(name)?).on_top();
                let follow = !component.last || self.slash || follow_last;
                if follow && child.inode().kind() == FileType::Symlink {
                    return self.follow(&child);
                }
                self.go(child)
            }
        }
    }

    fn go(&mut self, to: Path) -> Result<()> {
        if self.restrict & RESOLVE_NO_XDEV != 0 && !Arc::ptr_eq(&to.mount, &self.at.mount) {
            return Err(Errno::EXDEV);
        }
        self.at = to;
        Ok(())
    }

    fn go_up(&mut self) -> Result<()> {
        if self.at == self.root && self.restrict & RESOLVE_BENEATH != 0 {
            return Err(Errno::EXDEV);
        }
        self.go(self.at.up(&self.root))
    }

    fn follow(&mut self, link: &Path) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        check_link(link, self.restrict)?;
        let mut text = match link.inode().link_target()? {
            LinkTarget::Jump(path) => {
                jump_allowed(self.restrict)?;
                return self.go(path);
            }
            LinkTarget::Text(text) => text,
        };
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        if text.first() == Some(&b'/') {
            if self.restrict & RESOLVE_BENEATH != 0 {
                return Err(Errno::EXDEV);
            }
            self.go(self.root.clone())?;
        }
        // What is left of the path goes on behind the target; slashes alone keep their meaning.
        text.extend_from_slice(self.text.get(self.next..).unwrap_or(&[]));
        self.text = Cow::Owned(text);
        self.next = 0;
        self.slash = false;
        Ok(())
    }
}
