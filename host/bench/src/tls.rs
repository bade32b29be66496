//! A key and a certificate that it signed itself, for servers under TLS.

use crate::place::{require, tool};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Where they lie, on either side.
pub struct Identity {
    folder: PathBuf,
}

impl Identity {
    /// Makes one in `folder`: P-256, as most sites have it.
    ///
    /// # Errors
    /// Without openssl.
    pub fn new(folder: &Path) -> Result<Self> {
        let identity = Self { folder: folder.into() };
        let openssl = require("openssl", "openssl")?;
        let (certificate, key) = (identity.certificate(), identity.key());
        let kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let what = ["-days", "2", "-subj", "/CN=rkt-bench", "-keyout", &key, "-out", &certificate];
        tool(&openssl, &[&kind[..], &what].concat())?;
        Ok(identity)
    }

    /// Path of the certificate.
    pub fn certificate(&self) -> String {
        self.folder.join("certificate.pem").to_string_lossy().into_owned()
    }

    /// Path of the key.
    pub fn key(&self) -> String {
        self.folder.join("key.pem").to_string_lossy().into_owned()
    }
}
