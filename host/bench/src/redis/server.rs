//! redis-server: its arguments, and whether it answers.

use crate::place::require;
use crate::server::{arguments, connect};
use crate::tls::Identity;
use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Redis's own.
pub const PORT: u16 = 6379;
/// For connections under TLS.
pub const TLS_PORT: u16 = 6380;

/// No persistence, open to the network; nothing else differs from Redis's defaults. With an identity,
/// it listens for TLS, too.
pub fn server_arguments(identity: Option<&Identity>) -> Vec<String> {
    let mut all = arguments(["--save", "", "--appendonly", "no", "--protected-mode", "no", "--bind", "0.0.0.0"]);
    all.extend(["--port".into(), PORT.to_string()]);
    if let Some(identity) = identity {
        all.extend(["--tls-port".into(), TLS_PORT.to_string()]);
        all.extend(["--tls-cert-file".into(), identity.certificate()]);
        all.extend(["--tls-key-file".into(), identity.key()]);
        all.extend(arguments(["--tls-auth-clients", "no"]));
    }
    all
}

/// One PING (Redis serialization protocol, inline command).
///
/// # Errors
/// If it is not answered.
pub fn ping(address: Ipv4Addr) -> Result<()> {
    let mut stream = connect(address, PORT)?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+PONG\r\n", "{address}:{PORT} is no Redis");
    Ok(())
}

/// The server's program.
///
/// # Errors
/// If it is not installed.
pub fn program() -> Result<PathBuf> {
    require("redis-server", "redis-server")
}
