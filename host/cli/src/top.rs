//! `rkt-io top`: the counters of an enclave that runs, which its supervisor tells on a socket in its record's folder.

use crate::args::Top;
use crate::stats;
use anyhow::{Context, Result};
use rkt_runs::State;
use rkt_supervisor::{Devices, Observer};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::{IsTerminal, Read, Write, stdout};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Clears the terminal and goes to its upper left corner (ECMA-48).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Shows the counters, again and again on a terminal.
///
/// # Errors
/// If there is no such run, or it has ended.
pub fn run(how: &Top) -> Result<()> {
    let path = State::of_this_user()?.find(&how.name)?.control();
    let again = stdout().is_terminal() && !how.once;
    loop {
        let text = ask(&path).with_context(|| format!("{:?} does not answer: has it ended?", how.name))?;
        let document: Value = serde_json::from_str(&text).context("the answer makes no sense")?;
        let table = if how.json { format!("{document:#}\n") } else { table(&document) };
        let clear = if again { CLEAR } else { "" };
        stdout().write_all(format!("{clear}{table}").as_bytes())?;
        if !again {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}

fn ask(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    UnixStream::connect(path)?.read_to_string(&mut text)?;
    Ok(text)
}

fn table(document: &Value) -> String {
    let mut text = String::new();
    let none = Map::new();
    let object = |value: &Value| value.as_object().unwrap_or(&none).clone();
    for (name, value) in object(&document["enclave"]).iter().filter(|(_, value)| **value != 0) {
        let _ = writeln!(text, "{name:<20} {:>20}", value.to_string());
    }
    for (device, counters) in object(&document["devices"]) {
        let _ = writeln!(text, "\n{device}{}", pairs(&counters));
    }
    for kind in ["queues", "sockets"] {
        let _ = writeln!(text, "\n{kind}");
        for row in document[kind].as_array().into_iter().flatten() {
            let names: Vec<&str> = row["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let _ = writeln!(text, "  {}{}", names.join(" "), pairs(&row["counters"]));
        }
    }
    text
}

/// Counters that are not zero.
fn pairs(counters: &Value) -> String {
    let mut text = String::new();
    for (name, value) in counters.as_object().into_iter().flatten().filter(|(_, value)| **value != 0) {
        let _ = write!(text, "  {name}={value}");
    }
    text
}

/// Tells whoever connects, until it is dropped.
pub struct Teller<'scope> {
    path: PathBuf,
    done: &'scope AtomicBool,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Teller<'scope> {
    /// Listens at a path.
    ///
    /// # Errors
    /// If it cannot.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        path: PathBuf,
        done: &'scope AtomicBool,
        observer: Observer,
        devices: &'scope Devices,
    ) -> Result<Self> {
        let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
        let thread = scope.spawn(move || tell(&listener, done, observer, devices));
        Ok(Self { path, done, thread: Some(thread) })
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        // It waits for somebody to connect. Who has removed the folder has waked it, too.
        drop(UnixStream::connect(&self.path));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tell(listener: &UnixListener, done: &AtomicBool, observer: Observer, devices: &Devices) {
    for stream in listener.incoming() {
        if done.load(Ordering::Acquire) {
            return;
        }
        let (Ok(mut stream), Ok((counters, live))) = (stream, observer.look()) else { continue };
        // Who asked and went away needs no answer.
        let _ = stream.write_all(stats::now(&counters, &live, &devices.counters()).to_string().as_bytes());
    }
}
