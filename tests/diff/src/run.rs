//! Running one program, natively or in the enclave, under a watchdog.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, geteuid, getrlimit, kill_process_group, setpriority_process, setrlimit,
};

use crate::outcome::{Outcome, Status};
use crate::program::Directive;

/// More output than any program makes: a run that makes more is stopped by a full pipe and the watchdog.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// How long after the end of a run its pipes may stay open in some forgotten descendant.
const DRAIN: Duration = Duration::from_secs(2);

/// The environment of every run; a program's own settings come on top.
const ENVIRONMENT: [(&str, &str); 3] = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C"), ("TZ", "UTC")];

/// What all runs inherit: no core files from programs that die on purpose, the usual 1,024 descriptors and 8 MiB stack, and a nice value of 0.
///
/// # Errors
/// A hard limit of this process is lower, or its nice value may not be lowered.
pub fn set_limits() -> Result<()> {
    setpriority_process(None, 0).context("setting the nice value to 0")?;
    for (resource, current) in [(Resource::Core, 0), (Resource::Nofile, 1024), (Resource::Stack, 8 << 20)] {
        let limit = Rlimit { current: Some(current), maximum: getrlimit(resource).maximum };
        setrlimit(resource, limit).with_context(|| format!("setting {resource:?} to {current}"))?;
    }
    Ok(())
}

/// Runs `program` on Linux itself, in a fresh scratch directory.
///
/// # Errors
/// The run cannot be started.
pub fn native(program: &Path, directive: &Directive) -> Result<Outcome> {
    // tmpfs, as the enclave's /tmp is: block sizes, holes and directory sizes are the file system's own.
    let scratch = tempfile::Builder::new().prefix("rkt-diff-").tempdir_in("/dev/shm")?;
    // Signals that this process ignores would stay ignored, and what a killed run leaves of System V IPC stay behind.
    let apart: &[&str] = if geteuid().is_root() { &["/usr/bin/unshare", "--ipc"] } else { &[] };
    let mut words = apart.iter().chain(&["/usr/bin/env", "--default-signal"]);
    let mut command = Command::new(words.next().context("an empty command")?);
    command.args(words).arg(program).args(&directive.args).current_dir(scratch.path()).env_clear().envs(ENVIRONMENT);
    command.env("TMPDIR", scratch.path()).envs(directive.env.iter().map(|(name, value)| (name, value)));
    watched(command, directive)
}

/// The command that runs a program in the enclave.
#[derive(Clone, Debug)]
pub struct Enclave {
    words: Vec<String>,
}

impl Enclave {
    /// Takes the command `template`, in which `{cpus}` stands for the number of vCPUs and the word `{env}` for `-e K=V …`.
    ///
    /// # Errors
    /// The template is empty or names a program file that does not exist.
    pub fn new(template: &str) -> Result<Self> {
        let words: Vec<String> = template.split_whitespace().map(str::to_owned).collect();
        let Some(program) = words.first() else { bail!("RKT_IO_RUN is empty") };
        if program.contains('/') && !Path::new(program).exists() {
            bail!(
                "{program} does not exist: build it with `cargo xtask build`, name another command in RKT_IO_RUN, \
                 or set RKT_DIFF_NATIVE_ONLY=1 to check the programs alone"
            );
        }
        Ok(Self { words })
    }

    /// Runs `program` in an enclave of `cpus` vCPUs.
    ///
    /// # Errors
    /// The run cannot be started.
    pub fn run(&self, program: &Path, directive: &Directive, cpus: u32) -> Result<Outcome> {
        let mut words = Vec::new();
        for word in &self.words {
            if word == "{env}" {
                let fixed = ENVIRONMENT.iter().map(|&(name, value)| format!("{name}={value}"));
                let own = directive.env.iter().map(|(name, value)| format!("{name}={value}"));
                words.extend(fixed.chain(own).flat_map(|pair| ["-e".to_owned(), pair]));
            } else {
                words.push(word.replace("{cpus}", &cpus.to_string()));
            }
        }
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().context("an empty command")?);
        command.args(words).arg(program).args(&directive.args);
        watched(command, directive)
    }
}

fn watched(mut command: Command, directive: &Directive) -> Result<Outcome> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let input = directive.stdin.clone();
    if let Some(mut pipe) = child.stdin.take() {
        // A program need not read its input: a broken pipe is no error, and neither is one that outlives the run.
        thread::spawn(move || pipe.write_all(&input));
    }
    let status = wait(&mut child, directive.timeout)?;
    // What a program leaves behind in its group would hold the pipes open.
    end_group(&child);
    let rest = |output: Receiver<Vec<u8>>| output.recv_timeout(DRAIN).unwrap_or_default();
    Ok(Outcome { status, stdout: rest(stdout), stderr: rest(stderr) })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // An error ends the output as its end does; what came before it is compared.
            let _ = pipe.take(OUTPUT_LIMIT).read_to_end(&mut bytes);
        }
        sender.send(bytes)
    });
    receiver
}

fn wait(child: &mut Child, timeout: Duration) -> Result<Status> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Status::Exited(shell_status(status)));
        }
        if Instant::now() >= deadline {
            end_group(child);
            child.wait()?;
            return Ok(Status::TimedOut);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn end_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Fails with ESRCH where nothing is left, which is the aim.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn shell_status(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: u64) -> Outcome {
        let directive = Directive {
            args: vec!["-c".into(), script.into()],
            stdin: b"in\n".to_vec(),
            timeout: Duration::from_secs(timeout),
            ..Directive::default()
        };
        native(Path::new("/bin/sh"), &directive).unwrap()
    }

    #[test]
    fn output_and_status_are_kept() {
        let outcome = shell("cat; echo err >&2; exit 7", 20);
        assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (b"in\n".as_slice(), b"err\n".as_slice()));
        assert_eq!(outcome.status, Status::Exited(7));
    }

    #[test]
    fn a_signal_shows_as_in_a_shell() {
        assert_eq!(shell("kill -SEGV $$", 20).status, Status::Exited(139));
    }

    #[test]
    fn the_watchdog_ends_a_run_that_hangs() {
        assert_eq!(shell("echo before; sleep 1000", 1).status, Status::TimedOut);
    }

    #[test]
    fn a_missing_enclave_is_named() {
        let error = Enclave::new("/nonexistent/rkt-io run --").unwrap_err().to_string();
        assert!(error.contains("/nonexistent/rkt-io does not exist"), "{error}");
    }

    #[test]
    fn the_template_is_filled_in() {
        let directive =
            Directive { args: vec!["last".into()], env: vec![("K".into(), "V".into())], ..Directive::default() };
        let outcome = Enclave::new("echo cpus={cpus} {env} --").unwrap().run(Path::new("/p"), &directive, 2).unwrap();
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert!(text.starts_with("cpus=2 -e PATH=") && text.ends_with("-e K=V -- /p last\n"), "{text}");
    }
}
