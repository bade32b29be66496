//! One image out of a layout or archive: its configuration and layers.

use crate::layer::{Entry, read_tar};
use crate::spec::{Config, Descriptor, ImageConfig, Index, Manifest, Saved, parse};
use crate::store::Store;
use crate::stream::{Bounded, Hashed, unpacked};
use crate::{Digest, Limits, Part, Spool};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Deepest nesting of indexes accepted.
const DEPTH_MAX: usize = 4;
/// Most layers accepted, which is what docker accepts.
const LAYERS_MAX: usize = 127;

/// An image that is ready to be read.
pub struct Source {
    config: Config,
    manifest: Option<Digest>,
    layers: Vec<Layer>,
}

struct Layer {
    blob: Part,
    /// Digest and size of the blob; archives of older dockers do not have them.
    compressed: Option<(Digest, u64)>,
    /// Digest of the tar stream.
    diff_id: Digest,
}

impl Source {
    /// Opens the image for linux/amd64 in a layout or archive. `reference` chooses among several by
    /// name: the annotation `org.opencontainers.image.ref.name`, or a tag as docker writes it.
    ///
    /// # Errors
    /// If there is no such image, or there are several, or documents are damaged.
    pub fn open(path: &Path, reference: Option<&str>, limits: &Limits) -> Result<Self> {
        let store = Store::open(path, limits)?;
        let source = if let Some(index) = store.document("index.json")? {
            Self::of_layout(&store, &index, reference)
        } else if let Some(saved) = store.document("manifest.json")? {
            Self::of_docker(&store, &saved, reference)
        } else {
            bail!(
                "{} has neither index.json nor manifest.json: an OCI image layout, or an archive of one or of \
                 `docker save`, is expected",
                path.display()
            );
        };
        source.with_context(|| path.display().to_string())
    }

    /// How the image wants to be run.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The digest of its manifest, by which registries name it. Archives of older dockers have none.
    pub fn manifest_digest(&self) -> Option<Digest> {
        self.manifest
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Reads layer `index`, the lowest being 0, into the spool. `progress` is told of bytes as they
    /// are unpacked.
    ///
    /// # Errors
    /// If the layer is damaged, is not what its digests say, or exceeds the spool's limits.
    pub fn read_layer(&self, index: usize, spool: &mut Spool, progress: &mut dyn FnMut(u64)) -> Result<Vec<Entry>> {
        let layer = self.layers.get(index).context("no such layer")?;
        layer.read(spool, progress).with_context(|| format!("layer {} of {}", index + 1, self.layers.len()))
    }

    fn of_layout(store: &Store, index: &[u8], reference: Option<&str>) -> Result<Self> {
        let index: Index = parse(index, "index.json")?;
        let mut found = Vec::new();
        collect(store, &index, reference, DEPTH_MAX, &mut found)?;
        found.dedup_by_key(|descriptor| descriptor.digest);
        let chosen = match &found[..] {
            [one] => one,
            [] => bail!("there is no image {}for linux/amd64", reference.map_or(String::new(), |r| format!("{r} "))),
            several => {
                let names: Vec<_> = several.iter().map(|d| d.name().unwrap_or("without a name")).collect();
                bail!("there are several images ({}): choose one, as IMAGE@NAME", names.join(", "))
            }
        };
        let manifest: Manifest = parse(&store.blob_document(chosen)?, "the manifest")?;
        let config: ImageConfig = parse(&store.blob_document(&manifest.config)?, "the configuration")?;
        let blob = |descriptor: &Descriptor| -> Result<_> {
            Ok((store.blob(&descriptor.digest)?, Some((descriptor.digest, descriptor.size))))
        };
        let blobs = manifest.layers.iter().map(blob).collect::<Result<_>>()?;
        Self::new(config, blobs, Some(chosen.digest))
    }

    fn of_docker(store: &Store, saved: &[u8], reference: Option<&str>) -> Result<Self> {
        let images: Vec<Saved> = parse(saved, "manifest.json")?;
        let has_tag = |image: &&Saved| {
            let tags = image.repo_tags.as_deref().unwrap_or_default();
            reference.is_none_or(|reference| tags.iter().any(|tag| tag == reference))
        };
        let matching: Vec<_> = images.iter().filter(has_tag).collect();
        let image = match matching[..] {
            [one] => one,
            [] => bail!("there is no image {}", reference.unwrap_or("in it")),
            _ => {
                let tags: Vec<_> = matching.iter().filter_map(|image| image.repo_tags.as_deref()).flatten().collect();
                bail!("there are several images ({tags:?}): choose one, as IMAGE@NAME")
            }
        };
        let bytes = store.document(&image.config)?.with_context(|| format!("{} is missing", image.config))?;
        // The member's name is the digest, with or without `.json`.
        let name = image.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        let digest = Digest::from_hex(name).context("the configuration is not named by its digest")?;
        Hashed::new(&bytes[..]).finish(&digest, None, "the configuration")?;
        let blob = |name: &String| -> Result<_> {
            Ok((store.file(name)?.with_context(|| format!("{name} is missing"))?, None))
        };
        let blobs = image.layers.iter().map(blob).collect::<Result<_>>()?;
        Self::new(parse(&bytes, "the configuration")?, blobs, None)
    }

    fn new(image: ImageConfig, blobs: Vec<(Part, Option<(Digest, u64)>)>, manifest: Option<Digest>) -> Result<Self> {
        let (platform, diff_ids) = (&image.platform, &image.rootfs.diff_ids);
        ensure!(platform.is_ours(), "the image is for {}/{}, not linux/amd64", platform.os, platform.architecture);
        ensure!(image.rootfs.kind == "layers", "a root of kind {:?}, not of layers", image.rootfs.kind);
        let (given, named) = (blobs.len(), diff_ids.len());
        ensure!(given == named, "there are {given} layers, and the configuration names {named}");
        ensure!(given <= LAYERS_MAX, "there are more than {LAYERS_MAX} layers");
        let layers = blobs.into_iter().zip(diff_ids);
        let layers = layers.map(|((blob, compressed), id)| Layer { blob, compressed, diff_id: *id }).collect();
        Ok(Self { config: image.config.unwrap_or_default(), manifest, layers })
    }
}

/// The manifests for our platform, or for one that only their configuration tells.
fn collect(
    store: &Store,
    index: &Index,
    reference: Option<&str>,
    depth: usize,
    found: &mut Vec<Descriptor>,
) -> Result<()> {
    let depth = depth.checked_sub(1).context("indexes are nested too deeply")?;
    let named = |descriptor: &&Descriptor| reference.is_none_or(|name| descriptor.name() == Some(name));
    for descriptor in index.manifests.iter().filter(named) {
        if descriptor.is_index() {
            let inner: Index = parse(&store.blob_document(descriptor)?, "an index")?;
            // Below an index of the right name all are of that name.
            collect(store, &inner, None, depth, found)?;
        } else if descriptor.platform.as_ref().is_none_or(|platform| platform.is_ours()) {
            found.push(descriptor.clone());
        }
    }
    Ok(())
}

impl Layer {
    fn read(&self, spool: &mut Spool, progress: &mut dyn FnMut(u64)) -> Result<Vec<Entry>> {
        let mut blob = Hashed::new(self.blob.reader());
        let mut left = spool.left.unpacked;
        let mut tar = Hashed::new(Bounded::new(unpacked(&mut blob)?, &mut left, progress));
        let entries = read_tar(&mut tar, spool)?;
        tar.finish(&self.diff_id, None, "the unpacked layer")?;
        spool.left.unpacked = left;
        if let Some((digest, size)) = &self.compressed {
            blob.finish(digest, Some(*size), "the blob")?;
        }
        Ok(entries)
    }
}
