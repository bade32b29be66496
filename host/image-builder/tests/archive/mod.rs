//! Makes layers, layouts and archives, also such as no honest tool makes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn gzip(bytes: Vec<u8>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: Vec<u8>) -> Vec<u8> {
    zstd::bulk::compress(&bytes, 1).unwrap()
}

/// A tar archive, member by member. Owner 10:20, time 1000.
pub struct Layer(Vec<u8>);

impl Layer {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    fn member(mut self, kind: char, name: &str, mode: u32, link: &str, device: (u32, u32), data: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[156] = kind as u8;
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(mode);
        header.set_uid(10);
        header.set_gid(20);
        header.set_mtime(1000);
        header.set_size(data.len() as u64);
        header.set_device_major(device.0).unwrap();
        header.set_device_minor(device.1).unwrap();
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        self.member('0', name, 0o644, "", (0, 0), text.as_bytes())
    }

    #[allow(dead_code, reason = "not all tests need it")]
    pub fn program(self, name: &str, bytes: &[u8]) -> Self {
        self.member('0', name, 0o755, "", (0, 0), bytes)
    }

    pub fn directory(self, name: &str, mode: u32) -> Self {
        self.member('5', name, mode, "", (0, 0), b"")
    }

    pub fn link(self, kind: char, name: &str, to: &str) -> Self {
        self.member(kind, name, 0o777, to, (0, 0), b"")
    }

    pub fn device(self, kind: char, name: &str, device: (u32, u32)) -> Self {
        self.member(kind, name, 0o644, "", device, b"")
    }

    /// An extended header for the next member.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let digits = |length: usize| length.to_string().len();
            let length = (rest + digits(rest)..).find(|length| rest + digits(*length) == *length).unwrap();
            bytes.extend(format!("{length} {key}=").as_bytes());
            bytes.extend(*value);
            bytes.push(b'\n');
        }
        self.member('x', "pax", 0o644, "", (0, 0), &bytes)
    }

    /// GNU's long name for the next member.
    pub fn gnu_long(self, name: &str) -> Self {
        self.member('L', "././@LongLink", 0o644, "", (0, 0), &[name.as_bytes(), b"\0"].concat())
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// An image, not yet in a layout.
pub struct Layout {
    layers: Vec<Vec<u8>>,
    diffs: Vec<Vec<u8>>,
    config: String,
    architecture: &'static str,
    name: Option<&'static str>,
}

impl Layout {
    pub fn new() -> Self {
        Self { layers: vec![], diffs: vec![], config: "{}".into(), architecture: "amd64", name: None }
    }

    /// One more layer, compressed or not.
    pub fn layer(mut self, blob: Vec<u8>) -> Self {
        let diff = match &blob[..4] {
            [0x1f, 0x8b, ..] => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&blob[..]), &mut bytes).unwrap();
                bytes
            }
            [0x28, 0xb5, 0x2f, 0xfd] => zstd::stream::decode_all(&blob[..]).unwrap(),
            _ => blob.clone(),
        };
        self.layers.push(blob);
        self.diffs.push(diff);
        self
    }

    /// Has the configuration name another layer in the place of the last one.
    pub fn claims_diff_of(mut self, other: Vec<u8>) -> Self {
        *self.diffs.last_mut().unwrap() = other;
        self
    }

    pub fn config(mut self, json: &str) -> Self {
        self.config = json.into();
        self
    }

    pub fn platform(mut self, architecture: &'static str) -> Self {
        self.architecture = architecture;
        self
    }

    pub fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    fn image_config(&self) -> Vec<u8> {
        let ids: Vec<_> = self.diffs.iter().map(|diff| format!("sha256:{}", sha256_hex(diff))).collect();
        let config: Value = serde_json::from_str(&self.config).unwrap();
        let rootfs = json!({ "type": "layers", "diff_ids": ids });
        let all = json!({ "architecture": self.architecture, "os": "linux", "config": config, "rootfs": rootfs });
        serde_json::to_vec(&all).unwrap()
    }

    /// A layout of this image alone.
    pub fn write(self, folder: &Path) {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::write(folder.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        self.add_to(folder);
    }

    /// Adds this image to a layout.
    pub fn add_to(self, folder: &Path) {
        let layers: Vec<_> = self.layers.iter().map(|layer| blob(folder, "layer", layer)).collect();
        let config = blob(folder, "application/vnd.oci.image.config.v1+json", &self.image_config());
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let mut descriptor = blob(folder, "application/vnd.oci.image.manifest.v1+json", &manifest);
        descriptor["platform"] = json!({ "architecture": self.architecture, "os": "linux" });
        if let Some(name) = self.name {
            descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        let mut index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        index["manifests"].as_array_mut().unwrap().push(descriptor);
        fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    }

    /// What `docker save` wrote before it wrote layouts.
    pub fn docker_archive(self) -> Vec<u8> {
        let config = self.image_config();
        let name = format!("{}.json", sha256_hex(&config));
        let paths: Vec<_> = (0..self.layers.len()).map(|n| format!("layer{n}/layer.tar")).collect();
        let manifest = json!([{ "Config": name, "RepoTags": ["it:latest"], "Layers": paths }]);
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, bytes).unwrap();
        };
        paths.iter().zip(&self.layers).for_each(|(path, layer)| add(path, layer));
        add(&name, &config);
        add("manifest.json", &serde_json::to_vec(&manifest).unwrap());
        builder.into_inner().unwrap()
    }
}

/// Writes a blob; its descriptor.
fn blob(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let hex = sha256_hex(bytes);
    fs::write(folder.join("blobs/sha256").join(&hex), bytes).unwrap();
    json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len() })
}

/// Makes a layout's index a blob, and an index of that.
pub fn nest(folder: &Path) {
    let index = fs::read(folder.join("index.json")).unwrap();
    let descriptor = blob(folder, "application/vnd.oci.image.index.v1+json", &index);
    let outer = json!({ "schemaVersion": 2, "manifests": [descriptor] });
    fs::write(folder.join("index.json"), serde_json::to_vec(&outer).unwrap()).unwrap();
}

/// A folder as an archive.
pub fn pack(folder: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}
