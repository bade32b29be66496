//! A file system of maps, random operations on it and on a real one, and whether both are alike.

use super::{Fs, directory, file};
use rkt_ext4::{Allocate, Error, SetMode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A generator of numbers that look random (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len() as u64) as usize)
    }
}

pub type Id = u32;
const ROOT: Id = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    File(Arc<Vec<u8>>),
    Directory(BTreeMap<String, Id>),
    Link(String),
}

#[derive(Clone, Debug)]
pub struct Model {
    pub nodes: BTreeMap<Id, Node>,
    pub attributes: BTreeMap<(Id, String), Vec<u8>>,
    next: Id,
}

/// An operation; paths are lists of names.
#[derive(Clone, Debug)]
pub enum Op {
    Create(Vec<String>),
    MakeDir(Vec<String>),
    Symlink(Vec<String>, String),
    Link(Vec<String>, Vec<String>),
    Unlink(Vec<String>),
    RemoveDir(Vec<String>),
    Rename(Vec<String>, Vec<String>),
    Write(Vec<String>, u64, Vec<u8>),
    Size(Vec<String>, u64),
    Punch(Vec<String>, u64, u64),
    Zero(Vec<String>, u64, u64),
    Grow(Vec<String>, u64, u64),
    Collapse(Vec<String>, u64, u64),
    Insert(Vec<String>, u64, u64),
    SetAttribute(Vec<String>, String, Vec<u8>),
    Sync,
}

const BLOCK: u64 = 4096;
const LONGEST: u64 = 200_000;

impl Model {
    pub fn new() -> Self {
        let root = BTreeMap::from([("lost+found".to_owned(), 1)]);
        let nodes = BTreeMap::from([(ROOT, Node::Directory(root)), (1, Node::Directory(BTreeMap::new()))]);
        Self { nodes, attributes: BTreeMap::new(), next: 2 }
    }

    pub fn find(&self, path: &[String]) -> Option<Id> {
        path.iter().try_fold(ROOT, |id, name| match self.nodes.get(&id)? {
            Node::Directory(names) => names.get(name).copied(),
            _ => None,
        })
    }

    fn dir(&mut self, id: Id) -> &mut BTreeMap<String, Id> {
        match self.nodes.get_mut(&id) {
            Some(Node::Directory(names)) => names,
            _ => panic!("no directory"),
        }
    }

    fn file(&mut self, path: &[String]) -> &mut Vec<u8> {
        let id = self.find(path).unwrap();
        match self.nodes.get_mut(&id) {
            Some(Node::File(bytes)) => Arc::make_mut(bytes),
            _ => panic!("no file"),
        }
    }

    fn add(&mut self, path: &[String], node: Node) {
        let (name, dir) = path.split_last().unwrap();
        let dir = self.find(dir).unwrap();
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.dir(dir).insert(name.clone(), id);
    }

    fn take(&mut self, path: &[String]) -> Id {
        let (name, dir) = path.split_last().unwrap();
        let dir = self.find(dir).unwrap();
        self.dir(dir).remove(name).unwrap()
    }

    /// Drops a node that no name leads to.
    fn sweep(&mut self, id: Id) {
        let named =
            self.nodes.values().any(|node| matches!(node, Node::Directory(names) if names.values().any(|n| *n == id)));
        if !named {
            self.nodes.remove(&id);
            self.attributes.retain(|(owner, _), _| *owner != id);
        }
    }

    /// All paths, by kind.
    fn paths(&self, wanted: fn(&Node) -> bool) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let mut queue = vec![(Vec::new(), ROOT)];
        while let Some((path, id)) = queue.pop() {
            let Some(node) = self.nodes.get(&id) else { continue };
            if wanted(node) && path.first().is_none_or(|name| name != "lost+found") {
                found.push(path.clone());
            }
            if let Node::Directory(names) = node {
                queue.extend(names.iter().map(|(name, id)| ([path.clone(), vec![name.clone()]].concat(), *id)));
            }
        }
        found
    }

    pub fn random(&self, random: &mut Random, step: u64) -> Op {
        let dirs = self.paths(|node| matches!(node, Node::Directory(_)));
        let files = self.paths(|node| matches!(node, Node::File(_)));
        let dir = random.pick(&dirs).cloned().unwrap_or_default();
        let new = [dir.clone(), vec![format!("{}-{step}", "n".repeat(1 + random.below(40) as usize))]].concat();
        let file = random.pick(&files).cloned();
        let Some(file) = file else { return Op::Create(new) };
        let size = match self.find(&file).and_then(|id| self.nodes.get(&id)) {
            Some(Node::File(bytes)) => bytes.len() as u64,
            _ => 0,
        };
        let (offset, len) = (random.below(size + 9000), 1 + random.below(30_000));
        match random.below(24) {
            0..=4 => Op::Create(new),
            5 => Op::MakeDir(new),
            6 => Op::Symlink(new, "t".repeat(1 + random.below(100) as usize)),
            7 => Op::Link(file, new),
            8 | 9 => Op::Unlink(file),
            10 => match dirs.iter().find(|dir| !dir.is_empty() && self.is_empty(dir)) {
                Some(dir) => Op::RemoveDir(dir.clone()),
                None => Op::MakeDir(new),
            },
            11 => Op::Rename(file, new),
            12 => match random.pick(&files) {
                Some(other) if self.find(other) != self.find(&file) => Op::Rename(file, other.clone()),
                _ => Op::Rename(file, new),
            },
            13 => match random.pick(&dirs) {
                Some(moved) if !moved.is_empty() && !new.starts_with(moved) => Op::Rename(moved.clone(), new),
                _ => Op::Create(new),
            },
            14..=17 => {
                let seed = random.next();
                let data = (0..len).map(|at| (seed.wrapping_mul(at / 512 * 2 + 1) >> 32) as u8 | 1).collect();
                Op::Write(file, offset.min(LONGEST), data)
            }
            18 => Op::Size(file, random.below(LONGEST)),
            19 => Op::Punch(file, offset, len),
            20 => Op::Zero(file, offset.min(LONGEST), len),
            21 if size > 3 * BLOCK && random.below(2) == 0 => {
                let at = random.below(size / BLOCK - 1) * BLOCK;
                if at + BLOCK < size { Op::Collapse(file, at, BLOCK) } else { Op::Grow(file, offset, len) }
            }
            21 if size > BLOCK && size < LONGEST => Op::Insert(file, random.below(size / BLOCK) * BLOCK, 2 * BLOCK),
            21 => Op::Grow(file, offset.min(LONGEST), len),
            22 => {
                let value = vec![step as u8; random.below(1500) as usize];
                Op::SetAttribute(file, format!("user.a{}", random.below(2)), value)
            }
            _ => Op::Sync,
        }
    }

    fn is_empty(&self, path: &[String]) -> bool {
        let node = self.find(path).and_then(|id| self.nodes.get(&id));
        matches!(node, Some(Node::Directory(names)) if names.is_empty())
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(path) => self.add(path, Node::File(Arc::default())),
            Op::MakeDir(path) => self.add(path, Node::Directory(BTreeMap::new())),
            Op::Symlink(path, target) => self.add(path, Node::Link(target.clone())),
            Op::Link(from, to) => {
                let id = self.find(from).unwrap();
                let (name, dir) = to.split_last().unwrap();
                let dir = self.find(dir).unwrap();
                self.dir(dir).insert(name.clone(), id);
            }
            Op::Unlink(path) | Op::RemoveDir(path) => {
                let id = self.take(path);
                self.sweep(id);
            }
            Op::Rename(from, to) => {
                let replaced = self.find(to);
                let id = self.take(from);
                let (name, dir) = to.split_last().unwrap();
                let dir = self.find(dir).unwrap();
                self.dir(dir).insert(name.clone(), id);
                if let Some(replaced) = replaced {
                    self.sweep(replaced);
                }
            }
            Op::Write(path, offset, data) => {
                let bytes = self.file(path);
                let end = *offset as usize + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset as usize..end].copy_from_slice(data);
            }
            Op::Size(path, size) => self.file(path).resize(*size as usize, 0),
            Op::Punch(path, offset, len) => {
                let bytes = self.file(path);
                let end = bytes.len();
                bytes[(*offset as usize).min(end)..((offset + len) as usize).min(end)].fill(0);
            }
            Op::Zero(path, offset, len) => {
                let bytes = self.file(path);
                let end = (offset + len) as usize;
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset as usize..end].fill(0);
            }
            Op::Grow(path, offset, len) => {
                let bytes = self.file(path);
                bytes.resize(bytes.len().max((offset + len) as usize), 0);
            }
            Op::Collapse(path, offset, len) => {
                self.file(path).drain(*offset as usize..(offset + len) as usize);
            }
            Op::Insert(path, offset, len) => {
                let at = *offset as usize;
                self.file(path).splice(at..at, vec![0; *len as usize]);
            }
            Op::SetAttribute(path, name, value) => {
                let id = self.find(path).unwrap();
                self.attributes.insert((id, name.clone()), value.clone());
            }
            Op::Sync => (),
        }
    }
}

fn resolve(fs: &Fs, path: &[String]) -> Result<u32, Error> {
    path.iter().try_fold(fs.root(), |dir, name| fs.lookup(dir, name.as_bytes()))
}

fn split(fs: &Fs, path: &[String]) -> (u32, Vec<u8>) {
    let (name, dir) = path.split_last().unwrap();
    (resolve(fs, dir).unwrap(), name.clone().into_bytes())
}

/// Does an operation for real.
pub fn perform(fs: &Fs, op: &Op) -> Result<(), Error> {
    let ino = |path: &[String]| resolve(fs, path);
    match op {
        Op::Create(path) => {
            let (dir, name) = split(fs, path);
            fs.create(dir, &name, &file()).map(|_| ())
        }
        Op::MakeDir(path) => {
            let (dir, name) = split(fs, path);
            fs.create(dir, &name, &directory()).map(|_| ())
        }
        Op::Symlink(path, target) => {
            let (dir, name) = split(fs, path);
            fs.symlink(dir, &name, &file(), target.as_bytes()).map(|_| ())
        }
        Op::Link(from, to) => {
            let (dir, name) = split(fs, to);
            fs.link(dir, &name, ino(from)?)
        }
        Op::Unlink(path) => {
            let (dir, name) = split(fs, path);
            fs.unlink(dir, &name)
        }
        Op::RemoveDir(path) => {
            let (dir, name) = split(fs, path);
            fs.rmdir(dir, &name)
        }
        Op::Rename(from, to) => {
            let ((dir, name), (to, new_name)) = (split(fs, from), split(fs, to));
            fs.rename(dir, &name, to, &new_name)
        }
        Op::Write(path, offset, data) => fs.write_at(ino(path)?, *offset, data),
        Op::Size(path, size) => fs.set_size(ino(path)?, *size),
        Op::Punch(path, offset, len) => fs.fallocate(ino(path)?, Allocate::Punch, *offset, *len),
        Op::Zero(path, offset, len) => fs.fallocate(ino(path)?, Allocate::Zero { keep_size: false }, *offset, *len),
        Op::Grow(path, offset, len) => fs.fallocate(ino(path)?, Allocate::Grow, *offset, *len),
        Op::Collapse(path, offset, len) => fs.fallocate(ino(path)?, Allocate::Collapse, *offset, *len),
        Op::Insert(path, offset, len) => fs.fallocate(ino(path)?, Allocate::Insert, *offset, *len),
        Op::SetAttribute(path, name, value) => fs.set_xattr(ino(path)?, name.as_bytes(), value, SetMode::Any),
        Op::Sync => fs.sync(),
    }
}

/// The tree that is on a real file system, with numbers of inodes in the place of ids.
pub fn observe(fs: &Fs) -> Model {
    let mut seen = Model { nodes: BTreeMap::new(), attributes: BTreeMap::new(), next: 0 };
    let mut queue = vec![fs.root()];
    while let Some(ino) = queue.pop() {
        if seen.nodes.contains_key(&ino) {
            continue;
        }
        let stat = fs.stat(ino).unwrap();
        let node = match stat.mode & 0o170_000 {
            0o040_000 => {
                let names: BTreeMap<_, _> = super::names(fs, ino).into_iter().collect();
                queue.extend(names.values());
                Node::Directory(names)
            }
            0o120_000 => Node::Link(String::from_utf8(fs.read_link(ino).unwrap()).unwrap()),
            _ => Node::File(Arc::new(super::read_all(fs, ino))),
        };
        for name in fs.list_xattr(ino).unwrap().split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let value = fs.xattr(ino, name).unwrap();
            seen.attributes.insert((ino, String::from_utf8(name.to_vec()).unwrap()), value);
        }
        seen.nodes.insert(ino, node);
    }
    seen
}

/// Pairs inodes of a real file system with ids of a model; none if names, kinds, links or
/// attributes differ.
pub fn pair(seen: &Model, root: u32, model: &Model) -> Option<BTreeMap<u32, Id>> {
    let mut pairs = BTreeMap::new();
    let mut queue = vec![(root, ROOT)];
    while let Some((ino, id)) = queue.pop() {
        if let Some(known) = pairs.insert(ino, id) {
            if known != id {
                return None;
            }
            continue;
        }
        match (seen.nodes.get(&ino)?, model.nodes.get(&id)?) {
            (Node::Directory(names), Node::Directory(expected)) => {
                if !names.keys().eq(expected.keys()) {
                    return None;
                }
                queue.extend(names.values().copied().zip(expected.values().copied()));
            }
            (Node::Link(target), Node::Link(expected)) if target == expected => (),
            (Node::File(bytes), Node::File(expected)) if bytes.len() == expected.len() => (),
            _ => return None,
        }
    }
    let attributes = seen.attributes.iter().map(|((ino, name), value)| ((pairs[ino], name.clone()), value.clone()));
    (attributes.collect::<BTreeMap<_, _>>() == model.attributes).then_some(pairs)
}

/// Both must be alike in everything.
pub fn compare(fs: &Fs, model: &Model) {
    let seen = observe(fs);
    let pairs = pair(&seen, fs.root(), model).expect("the trees differ");
    for (ino, id) in pairs {
        if let (Some(Node::File(bytes)), Some(Node::File(expected))) = (seen.nodes.get(&ino), model.nodes.get(&id)) {
            let differs = bytes.iter().zip(expected.iter()).position(|(a, b)| a != b);
            assert_eq!(differs, None, "contents of inode {ino} differ");
        }
    }
}
