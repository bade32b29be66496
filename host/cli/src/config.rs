//! `rkt.toml`, and how the command line goes over it.

use crate::args::Options;
use anyhow::{Context, Result};
use std::path::Path;

/// Reads options from a file.
///
/// # Errors
/// If it cannot be read, or has keys or values that no option has.
pub fn read(path: &Path) -> Result<Options> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

impl Options {
    /// These options where given, else those of `file`. Variables of both are set, those of the
    /// file first; every other list replaces the file's.
    pub fn over(self, file: Self) -> Self {
        fn list<T>(own: Vec<T>, file: Vec<T>) -> Vec<T> {
            if own.is_empty() { file } else { own }
        }
        Self {
            net: self.net.or(file.net),
            ip: self.ip.or(file.ip),
            ip6: self.ip6.or(file.ip6),
            gateway: self.gateway.or(file.gateway),
            gateway6: self.gateway6.or(file.gateway6),
            dns: list(self.dns, file.dns),
            publish: list(self.publish, file.publish),
            disk: list(self.disk, file.disk),
            copy: list(self.copy, file.copy),
            volume: list(self.volume, file.volume),
            key_file: self.key_file.or(file.key_file),
            read_only: self.read_only || file.read_only,
            cpus: self.cpus.or(file.cpus),
            memory: self.memory.or(file.memory),
            env: [file.env, self.env].concat(),
            env_file: [file.env_file, self.env_file].concat(),
            workdir: self.workdir.or(file.workdir),
            hostname: self.hostname.or(file.hostname),
            user: self.user.or(file.user),
            interactive: self.interactive || file.interactive,
            tty: self.tty || file.tty,
            entrypoint: self.entrypoint.or(file.entrypoint),
            digest: self.digest.or(file.digest),
            size: self.size.or(file.size),
            name: self.name.or(file.name),
            detach: self.detach || file.detach,
            poll: self.poll.or(file.poll),
            without: list(self.without, file.without),
            tee: self.tee.or(file.tee),
            strace: self.strace.or(file.strace),
            pcap: self.pcap.or(file.pcap),
            stats: self.stats.or(file.stats),
            debug: self.debug || file.debug,
            allow_exec: self.allow_exec || file.allow_exec,
            quiet: self.quiet || file.quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command, Request};
    use crate::values::{Destination, Memory, Net, Target};
    use clap::{CommandFactory, Parser};
    use std::ffi::OsString;

    fn request(line: &str) -> Result<Request, String> {
        let argv: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match Cli::try_parse_from(&argv).map_err(|e| e.to_string())?.command {
            Command::Run(run) => run.request(&argv).map_err(|e| format!("{e:#}")),
            _ => Err("not run".into()),
        }
    }

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dashes_tell_a_program_from_an_image() {
        let target = |line: &str| request(line).unwrap().target;
        assert_eq!(target("rkt-io run -- ls -l --color"), Target::Program(words("ls -l --color")));
        assert_eq!(target("rkt-io run --cpus 2 -- sh -c -- x"), Target::Program(words("sh -c -- x")));
        assert_eq!(target("rkt-io run a.rkt ls --net x"), Target::Image("a.rkt".into(), words("ls --net x")));
        assert_eq!(target("rkt-io run a.rkt -- ls -l"), Target::Image("a.rkt".into(), words("ls -l")));
        assert_eq!(target("rkt-io run -i a.rkt sh -- x"), Target::Image("a.rkt".into(), words("sh -- x")));
        assert!(request("rkt-io run").is_err());
        assert!(request("rkt-io run --").is_err());
    }

    #[test]
    fn options_mean_what_docker_means() {
        let options = request("rkt-io run -it -m 512m --cpus 2 -e A=1 -e B= -w /tmp -u 5:6 --strace -p 80:8080 x")
            .unwrap()
            .options;
        assert!(options.interactive && options.tty);
        assert_eq!(options.memory, Some(Memory(512 << 20)));
        assert_eq!(options.env[0].value.as_deref(), Some("1"));
        assert_eq!(options.env[1].value.as_deref(), Some(""));
        assert_eq!(options.strace, Some(Destination::Stderr));
        assert_eq!(options.publish[0].guest_port, 8080);
        let stats = request("rkt-io run --stats=f.json -- true").unwrap().options.stats;
        assert_eq!(stats, Some(Destination::File("f.json".into())));
    }

    #[test]
    fn what_is_refused_says_what_to_do() {
        for (line, says) in [
            ("rkt-io run -v /srv:/data x", "--copy /srv:/data"),
            ("rkt-io run -v ./srv:/data x", "-v NAME:/data"),
            ("rkt-io run -v data:data x", "NAME:/DIR"),
            ("rkt-io run -v ../x:/data x", "-v NAME:/data"),
            ("rkt-io run -v a/b:/data x", "NAME:/DIR"),
            ("rkt-io run --net vfio=0000:01:00.0 x", "not supported yet"),
            ("rkt-io run --net wlan x", "tap[=IFNAME]"),
            ("rkt-io run --disk file=a,format=sealed x", "not supported yet"),
            ("rkt-io run --disk file=a x", "format=plain"),
            ("rkt-io run --disk format=plain x", "file=PATH is missing"),
            ("rkt-io run --ip 10.0.0.1 x", "ADDRESS/PREFIX"),
            ("rkt-io run --memory much x", "512m"),
            ("rkt-io run --memory 99999999999g x", "512m"),
            ("rkt-io run --cpus 0 x", "cpus"),
            ("rkt-io run --digest md5:00 x", "sha256"),
            ("rkt-io run --copy a:b x", "absolute"),
            ("rkt-io run -d -i x", "cannot be used with"),
        ] {
            let error = request(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn flags_go_over_the_file() {
        let file: Options = toml::from_str(
            r#"
            net = "tap=rkt7"
            ip = "10.1.2.3/24"
            cpus = 4
            memory = "2g"
            env = ["A=file", "B=file"]
            publish = ["80:80"]
            poll = "busy"
            tty = true
            stats = "-"
            user = "redis"
            entrypoint = "/init"
            digest = "sha256:abababababababababababababababababababababababababababababababab"
            "#,
        )
        .unwrap();
        let merged = request("rkt-io run --net none --cpus 1 -e A=flag -p 81:81 x").unwrap().options.over(file);
        assert_eq!(merged.net, Some(Net::None));
        assert_eq!(merged.cpus, Some(1));
        assert_eq!(merged.memory, Some(Memory(2 << 30)));
        assert_eq!(merged.env.last().unwrap().value.as_deref(), Some("flag"));
        assert_eq!(merged.env.len(), 3);
        assert_eq!(merged.publish.len(), 1);
        assert_eq!(merged.publish[0].guest_port, 81);
        assert!(merged.tty);
        assert_eq!((merged.user.as_deref(), merged.entrypoint.as_deref()), (Some("redis"), Some("/init")));
        assert_eq!(merged.digest.unwrap().0, [0xab; 32]);
        assert_eq!(merged.stats, Some(Destination::Stderr));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        assert!(toml::from_str::<Options>("colour = true").is_err());
        assert!(toml::from_str::<Options>("net = \"carrier pigeon\"").is_err());
        assert!(toml::from_str::<Options>("volume = [\"a\"]").is_err());
    }
}
