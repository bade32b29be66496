//! How the first program starts: what the image wants, under what the options say, as docker
//! combines them.

use crate::account::Account;
use crate::args::Options;
use crate::values::Variable;
use anyhow::{Context, Result, bail};
use rkt_image_builder::Config;
use rkt_manifest::{Manifest, Signals};
use rkt_supervisor::signal_name;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// `PATH` of the program unless it is set.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// SIGTERM (signal(7)).
const TERM: i32 = 15;

/// The arguments: the entry point, then those of the command line or else the image's own. Another
/// entry point makes the image's own arguments meaningless.
///
/// # Errors
/// If nothing is left.
pub fn argv(options: &Options, config: &Config, args: &[OsString]) -> Result<Vec<OsString>> {
    let strings = |list: &Option<Vec<String>>| -> Vec<OsString> { list.iter().flatten().map(OsString::from).collect() };
    let (mut argv, own) = match &options.entrypoint {
        Some(entrypoint) => (vec![OsString::from(entrypoint)], Vec::new()),
        None => (strings(&config.entrypoint), strings(&config.cmd)),
    };
    argv.extend(if args.is_empty() { own } else { args.to_vec() });
    if argv.first().is_none_or(|program| program.is_empty()) {
        bail!("the image names no command of its own: give one after it");
    }
    Ok(argv)
}

/// Where the program starts, in the one form that a manifest accepts.
pub fn workdir(options: &Options, config: &Config) -> String {
    let path = options.workdir.as_deref().or(config.working_dir.as_deref()).unwrap_or_default();
    let components: Vec<&str> = path.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
    format!("/{}", components.join("/"))
}

/// Sets what every program has, then the image's variables, then the files', then the options'.
/// Nothing of the host's environment comes in unless it is named.
///
/// # Errors
/// If a variable of the image has no name, or a file cannot be read.
pub fn environment(options: &Options, config: &Config, account: &Account, manifest: &mut Manifest) -> Result<()> {
    manifest.set_env(b"PATH", DEFAULT_PATH.as_bytes());
    manifest.set_env(b"HOME", account.home.as_bytes());
    manifest.set_env(b"HOSTNAME", &manifest.hostname.clone());
    if options.tty {
        manifest.set_env(b"TERM", terminal_kind().as_bytes());
    }
    for variable in config.env.iter().flatten() {
        match variable.split_once('=') {
            Some((key, value)) if !key.is_empty() => manifest.set_env(key.as_bytes(), value.as_bytes()),
            _ => bail!("the image's variable {variable:?} has no name or no value"),
        }
    }
    for path in &options.env_file {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        for (n, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            match line.parse::<Variable>() {
                Ok(variable) => set(manifest, &variable),
                Err(e) => bail!("{}, line {}: {e}", path.display(), n + 1),
            }
        }
    }
    options.env.iter().for_each(|variable| set(manifest, variable));
    Ok(())
}

/// What kind of terminal ours is.
pub fn terminal_kind() -> OsString {
    std::env::var_os("TERM").unwrap_or_else(|| "xterm".into())
}

fn set(manifest: &mut Manifest, variable: &Variable) {
    let assignment = variable.assignment().unwrap_or_default();
    if let Some(value) = assignment.get(variable.key.len() + 1..) {
        manifest.set_env(variable.key.as_bytes(), value);
    }
}

/// The signal that asks the program to end, and what is to be said about it: the host may send few
/// signals (DESIGN §3.7).
///
/// # Errors
/// If the image names no signal of Linux.
pub fn stop_signal(config: &Config) -> Result<(i32, Option<String>)> {
    let Some(name) = config.stop_signal.as_deref().filter(|name| !name.is_empty()) else { return Ok((TERM, None)) };
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let is_it = |number: &u8| signal_name(*number).strip_prefix("SIG") == Some(short) || number.to_string() == name;
    let number = (1..=31).find(is_it).with_context(|| format!("the image's stop signal {name:?} is none of Linux"))?;
    if Signals::ALL.accepts(number.into()) {
        return Ok((number.into(), None));
    }
    let note =
        format!("the image wants to be stopped by {}, which no host may send: it gets SIGTERM", signal_name(number));
    Ok((TERM, Some(note)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn list(text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn entrypoint_and_command_combine_as_in_docker() {
        let both = Config { entrypoint: list("/init --"), cmd: list("serve now"), ..Config::default() };
        let command = Config { cmd: list("serve now"), ..Config::default() };
        let over = Options { entrypoint: Some("/bin/sh".into()), ..Options::default() };
        let plain = Options::default();
        for (options, config, args, expected) in [
            (&plain, &both, "", "/init -- serve now"),
            (&plain, &both, "a b", "/init -- a b"),
            (&plain, &command, "", "serve now"),
            (&plain, &command, "a b", "a b"),
            (&over, &both, "", "/bin/sh"),
            (&over, &both, "-c x", "/bin/sh -c x"),
            (&plain, &Config::default(), "a", "a"),
        ] {
            assert_eq!(argv(options, config, &words(args)).unwrap(), words(expected), "{args}");
        }
        assert!(argv(&plain, &Config::default(), &[]).unwrap_err().to_string().contains("no command"));
        let empty = Options { entrypoint: Some(String::new()), ..Options::default() };
        assert!(argv(&empty, &both, &[]).is_err());
    }

    #[test]
    fn working_directories_have_one_form() {
        let at = |option: Option<&str>, image: Option<&str>| {
            let options = Options { workdir: option.map(Into::into), ..Options::default() };
            workdir(&options, &Config { working_dir: image.map(Into::into), ..Config::default() })
        };
        assert_eq!(at(None, None), "/");
        assert_eq!(at(None, Some("")), "/");
        assert_eq!(at(None, Some("/data//x/./")), "/data/x");
        assert_eq!(at(None, Some("data")), "/data");
        assert_eq!(at(Some("/tmp"), Some("/data")), "/tmp");
    }

    #[test]
    fn stop_signals_are_those_that_a_host_may_send() {
        let of = |name: &str| {
            let (number, note) = stop_signal(&Config { stop_signal: Some(name.into()), ..Config::default() }).ok()?;
            Some((number, note.is_some()))
        };
        assert_eq!(of(""), Some((15, false)));
        assert_eq!(of("SIGINT"), Some((2, false)));
        assert_eq!(of("HUP"), Some((1, false)));
        assert_eq!(of("28"), Some((28, false)));
        assert_eq!(of("SIGQUIT"), Some((15, true)));
        assert_eq!(of("SIGRTMIN+3"), None);
        assert_eq!(of("0"), None);
    }
}
