//! The JSON documents of an image, as far as they matter here: OCI image-spec 1.1 (`image-index.md`,
//! `manifest.md`, `config.md`) and the `manifest.json` of `docker save`.

use crate::digest::Digest;
use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest document accepted, bytes: what registries accept for a manifest.
pub(crate) const DOCUMENT_MAX: u64 = 4 << 20;

/// Reads a document; unknown fields are passed over, as the specification wants.
///
/// # Errors
/// If it is too long, or not JSON of this shape.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    ensure!(bytes.len() as u64 <= DOCUMENT_MAX, "{what} is longer than {DOCUMENT_MAX} bytes");
    serde_json::from_slice(bytes).with_context(|| format!("{what} is malformed"))
}

/// An image index (`image-index.md`): manifests, for other platforms or of other names.
#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// The manifests, or further indexes.
    pub manifests: Vec<Descriptor>,
}

/// A manifest (`manifest.md`): one image.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// A reference to a blob (`descriptor.md`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    #[serde(default)]
    pub media_type: String,
    /// What its bytes hash to.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Names and other remarks.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Whether the blob is an index (OCI) or a manifest list (docker).
    pub fn is_index(&self) -> bool {
        matches!(
            self.media_type.as_str(),
            "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json"
        )
    }

    /// The name that the image has in its layout (`annotations.md`).
    pub fn name(&self) -> Option<&str> {
        self.annotations.get("org.opencontainers.image.ref.name").map(String::as_str)
    }
}

/// What an image runs on.
#[derive(Clone, Debug, Deserialize)]
pub struct Platform {
    /// As Go's GOARCH.
    pub architecture: String,
    /// As Go's GOOS.
    pub os: String,
}

impl Platform {
    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.os == "linux" && self.architecture == "amd64"
    }
}

/// The configuration of an image (`config.md`).
#[derive(Debug, Deserialize)]
pub(crate) struct ImageConfig {
    #[serde(flatten)]
    pub platform: Platform,
    pub config: Option<Config>,
    pub rootfs: RootFs,
}

/// The layers as they are unpacked.
#[derive(Debug, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the tar streams, lowest layer first.
    pub diff_ids: Vec<Digest>,
}

/// How an image wants to be run: the `config` object of its configuration (`config.md`). What is
/// not here has no meaning in an enclave. Its serialized form is canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// User and group, by name or number: `USER[:GROUP]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Variables, `KEY=VALUE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The first arguments, which stay when others are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The arguments behind those, unless others are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Where the program starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// What asks the program to end: `SIGNAME` or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
}

/// An image in the `manifest.json` of `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Saved {
    /// The member with the configuration.
    pub config: String,
    /// Its names.
    pub repo_tags: Option<Vec<String>>,
    /// The members with the layers, lowest first.
    pub layers: Vec<String>,
}
