//! The workspace as `cargo metadata` tells it.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages, ours and others', and what each is resolved to depend on.
#[derive(Deserialize)]
pub struct Workspace {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

/// A package.
#[derive(Deserialize)]
pub struct Package {
    id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SPDX expression, if it names one.
    pub license: Option<String>,
    /// Where it came from; none for a path.
    pub source: Option<String>,
    /// Its Cargo.toml.
    pub manifest_path: PathBuf,
    /// Libraries, programs, tests.
    pub targets: Vec<Target>,
}

/// A crate of a package.
#[derive(Deserialize)]
pub struct Target {
    /// `lib`, `bin`, `test`, `proc-macro` and so on.
    pub kind: Vec<String>,
    /// The root file.
    pub src_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    kind: Option<String>,
    target: Option<String>,
}

impl DepKind {
    /// Part of what is built: neither for tests or build scripts, nor for the model checker.
    fn is_built(&self) -> bool {
        self.kind.is_none() && self.target.as_deref() != Some("cfg(loom)")
    }
}

/// The repository.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

impl Workspace {
    /// Asks Cargo, without network and without changing `Cargo.lock`.
    ///
    /// # Errors
    /// If Cargo fails: above all if there is no `Cargo.lock` or it does not fit.
    pub fn load() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let platform = "x86_64-unknown-linux-gnu";
        let args = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", platform];
        let output = Command::new(cargo).args(args).current_dir(root()).output()?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the answer of cargo metadata")
    }

    /// Our own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.is_member(package))
    }

    /// Everyone else's packages.
    pub fn others(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| !self.is_member(package))
    }

    fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }

    /// What `package` depends on directly, for whatever purpose.
    pub fn dependencies(&self, package: &Package) -> Vec<&Package> {
        self.edges(&package.id, |_| true)
    }

    /// What is built into the members of `layer`, directly or not. Procedural macros and what
    /// they need run in the compiler and are left out.
    pub fn built_into(&self, layer: &str) -> Vec<&Package> {
        let mut queue: Vec<_> = self.members().filter(|package| package.layer() == layer).collect();
        let mut found = BTreeMap::new();
        while let Some(package) = queue.pop() {
            if package.is_macro() || found.insert(package.id.as_str(), package).is_some() {
                continue;
            }
            queue.extend(self.edges(&package.id, DepKind::is_built));
        }
        found.into_values().collect()
    }

    fn edges(&self, id: &str, wanted: impl Fn(&DepKind) -> bool) -> Vec<&Package> {
        let node = self.resolve.nodes.iter().find(|node| node.id == id);
        let edges = node.map_or(&[][..], |node| &node.deps);
        let ids: BTreeSet<_> =
            edges.iter().filter(|edge| edge.dep_kinds.iter().any(&wanted)).map(|edge| edge.pkg.as_str()).collect();
        self.packages.iter().filter(|package| ids.contains(package.id.as_str())).collect()
    }
}

impl Package {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The top folder that one of ours lies in: its layer.
    pub fn layer(&self) -> &str {
        let inside = self.manifest_path.strip_prefix(root()).ok();
        inside.and_then(|path| path.iter().next()).and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Root files of its library and programs.
    pub fn roots(&self) -> impl Iterator<Item = &Path> {
        let built = |target: &&Target| target.kind.iter().any(|kind| kind.ends_with("lib") || kind == "bin");
        self.targets.iter().filter(built).map(|target| target.src_path.as_path())
    }

    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}
