//! From options to the manifest, which is measured, and to the network of the host, which is not.

use crate::args::Options;
use crate::root::Root;
use crate::start::{self, DEFAULT_PATH};
use crate::values::{self, Cidr, Destination, Net, Own4, Own6, Poll, Protection, Target};
use crate::volumes;
use anyhow::{Context, Result, bail, ensure};
use rkt_backend_net::{PasstOptions, TapOptions, WireOptions};
use rkt_image_builder::DiskKind;
use rkt_manifest::{
    Anchor, Disk, DiskFormat, Interface, InterfaceKind, Ipv4, Ipv6, Manifest, RootIdentity, Signals, Stdio, Stream,
};
use rkt_supervisor::Network;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const DEFAULT_MEMORY: u64 = 1 << 30;
const DEFAULT_HOSTNAME: &str = "rkt";
/// Guest behind a TAP, unless `--ip` says otherwise; its gateway, the host's end, is 10.0.3.1.
const TAP_GUEST: Cidr = Cidr { address: Ipv4Addr::new(10, 0, 3, 2), prefix: 24 };
const TAP_MTU: u16 = 1500;
/// Guest on a wire, unless `--ip` says otherwise. All but one have to say it.
const WIRE_GUEST: Cidr = Cidr { address: Ipv4Addr::new(10, 0, 4, 1), prefix: 24 };
const WIRE_MTU: u16 = 1500;
/// Pairs of queues that a network device can have: one a vCPU, up to this many.
const MAX_QUEUES: u32 = 16;

/// What options come to.
pub struct Plan {
    /// What is measured.
    pub manifest: Manifest,
    /// The network's host side.
    pub network: Option<Network>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Compiles options and root.
    ///
    /// # Errors
    /// If options contradict each other, or a file of variables cannot be read.
    pub fn new(options: &Options, target: &Target, root: &Root) -> Result<Self> {
        let mut notes = root.warnings.clone();
        let net = choose_network(options, &mut notes)?;
        let (network, interface) = match network(options, &net) {
            Some((network, interface)) => (Some(network), Some(interface)),
            None => (None, None),
        };
        let stdin = options.interactive || matches!(target, Target::Program(_));
        let mut manifest = Manifest {
            argv: root.argv.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env: Vec::new(),
            workdir: start::workdir(options, &root.config).into(),
            hostname: options.hostname.as_deref().unwrap_or(DEFAULT_HOSTNAME).into(),
            user: root.account.user.clone(),
            root: match root.disk {
                Some(_) => RootIdentity::Disk,
                None => RootIdentity::Image { digest: root.digest },
            },
            memory: options.memory.map_or(DEFAULT_MEMORY, |memory| memory.0),
            cpus: options.cpus.unwrap_or(1),
            plaintext_network: interface.is_some(),
            network: interface.into_iter().collect(),
            disks: attached(options, root)?.iter().map(disk).collect::<Result<_>>()?,
            stdio: Stdio {
                stdin: if stdin { Stream::Plain } else { Stream::None },
                stdout: Stream::Plain,
                stderr: Stream::Plain,
                tty: options.tty,
            },
            signals: Signals::ALL,
            debug: options.debug || options.strace.is_some() || options.pcap.is_some(),
            allow_exec: options.allow_exec,
            anchor: Anchor::None,
        };
        start::environment(options, &root.config, &root.account, &mut manifest)?;
        if let (Some(program), Some(name)) = (&root.program, manifest.argv.first()) {
            manifest.argv[0] = name_in_image(name, program, &manifest.env);
        }
        Ok(Self { manifest, network, notes })
    }
}

/// The first argument: the name that was typed if the enclave finds the same program by it, as
/// programs print it and some act by it; else the path.
fn name_in_image(asked: &[u8], program: &Path, env: &[Vec<u8>]) -> Vec<u8> {
    let path = env.iter().find_map(|variable| variable.strip_prefix(b"PATH=")).unwrap_or_default();
    let folder = program.parent().map(|folder| folder.as_os_str().as_bytes());
    let on_path = path.split(|byte| *byte == b':').any(|entry| Some(entry) == folder);
    if on_path && program.file_name().is_some_and(|name| name.as_bytes() == asked) {
        asked.into()
    } else {
        program.as_os_str().as_bytes().into()
    }
}

/// The file of this name on `PATH`.
pub fn find_on_path(program: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path).map(|dir| dir.join(program.as_ref())).find(|file| file.is_file())
}

fn choose_network(options: &Options, notes: &mut Vec<String>) -> Result<Net> {
    let net = match &options.net {
        Some(net) => net.clone(),
        None if find_on_path("passt").is_some() => Net::User,
        None => {
            notes.push("no network: `--net user` needs the program passt, which is not installed".into());
            Net::None
        }
    };
    if matches!(net, Net::Shm(_)) {
        ensure!(options.publish.is_empty(), "-p needs --net user or --net tap: the host is not on a wire");
    }
    if net == Net::None {
        for (given, option) in [
            (options.ip.is_some(), "--ip"),
            (options.ip6.is_some(), "--ip6"),
            (options.gateway6.is_some(), "--gateway6"),
            (options.gateway.is_some(), "--gateway"),
            (!options.dns.is_empty(), "--dns"),
            (!options.publish.is_empty(), "-p"),
        ] {
            ensure!(!given, "{option} needs a network: use --net user (with passt installed) or --net tap");
        }
    }
    Ok(net)
}

/// Both sides of the network.
fn network(options: &Options, net: &Net) -> Option<(Network, Interface)> {
    let passt = PasstOptions::default();
    let default = match net {
        Net::User => Cidr { address: passt.guest4.0, prefix: passt.guest4.1 },
        Net::Shm(_) => WIRE_GUEST,
        _ => TAP_GUEST,
    };
    let own = match options.ip {
        Some(Own4::Static(own)) => own,
        Some(Own4::Dhcp) | None => default,
    };
    let gateway = options.gateway.unwrap_or_else(|| match net {
        Net::User if options.ip.is_none() => passt.gateway4,
        _ => own.likely_gateway(),
    });
    let (network, mtu) = match net {
        Net::None => return None,
        Net::User => {
            let (guest4, mtu) = ((own.address, own.prefix), passt.mtu);
            let (dns, publish) = (options.dns.clone(), options.publish.clone());
            (Network::User(PasstOptions { guest4, gateway4: gateway, dns, publish, ..passt }), mtu)
        }
        Net::Tap(name) => {
            // A TAP that is there already was configured by whoever made it.
            let exists = name.as_ref().is_some_and(|name| Path::new("/sys/class/net").join(name).exists());
            let host4 = (!exists).then_some((gateway, own.prefix));
            let queues = options.cpus.unwrap_or(1).min(MAX_QUEUES) as u16;
            let host6 = match (options.ip6, options.gateway6) {
                (Some(Own6::Static(_, prefix)), Some(gateway)) if !exists => Some((gateway, prefix)),
                _ => None,
            };
            let tap = TapOptions { name: name.clone(), host4, host6, mtu: TAP_MTU, queues };
            let (publish, guest) = (options.publish.clone(), IpAddr::V4(own.address));
            (Network::Tap { options: tap, publish, guest }, TAP_MTU)
        }
        Net::Shm(path) => {
            let pairs = options.cpus.unwrap_or(1).min(MAX_QUEUES) as u16;
            (Network::Wire(WireOptions { path: path.clone(), pairs, mtu: WIRE_MTU }), WIRE_MTU)
        }
    };
    // Behind a wire there are the other enclaves and nobody else, unless one of them is named.
    let gateway = if matches!(net, Net::Shm(_)) { options.gateway } else { Some(gateway) };
    let interface = Interface {
        kind: InterfaceKind::VirtioNet,
        name: b"eth0".to_vec(),
        ipv4: match options.ip {
            Some(Own4::Dhcp) => Ipv4::Dhcp,
            _ => Ipv4::Static { address: own.address, prefix: own.prefix, gateway },
        },
        ipv6: match options.ip6 {
            Some(Own6::Static(address, prefix)) => Ipv6::Static { address, prefix, gateway: options.gateway6 },
            Some(Own6::Auto) => Ipv6::Auto,
            None => Ipv6::None,
        },
        mtu,
        mac: None,
        dns: options.dns.clone(),
    };
    Some((network, interface))
}

/// The root if it is a disk, then disks and volumes in the order of the options; without a mount point they are
/// `/mnt/disk0` and so on.
///
/// # Errors
/// If there is no place for volumes.
pub fn attached(options: &Options, root: &Root) -> Result<Vec<values::Disk>> {
    let mut all: Vec<_> = root.disk.iter().cloned().collect();
    for (n, disk) in options.disk.iter().enumerate() {
        let mount = disk.mount.clone().unwrap_or_else(|| format!("/mnt/disk{n}"));
        all.push(values::Disk { mount: Some(mount), ..disk.clone() });
    }
    for volume in &options.volume {
        all.push(volumes::disk(volume)?);
    }
    Ok(all)
}

/// A disk as the manifest has it.
fn disk(disk: &values::Disk) -> Result<Disk> {
    let format = match &disk.protection {
        Protection::Plain => DiskFormat::Plain,
        Protection::Luks(_) => DiskFormat::LuksHostKey,
        Protection::LuksOrNew(_) => DiskFormat::LuksHostKeyOrNew,
        Protection::Verity => {
            let path = disk.file.display();
            let file = File::open(&disk.file).with_context(|| format!("cannot open disk {path}"))?;
            match DiskKind::of(&file)? {
                Some(DiskKind::Verity(pin, tree)) => {
                    DiskFormat::Verity { root: pin.root, superblock: pin.superblock, tree }
                }
                _ => bail!("{path} is no verity disk: `rkt-io image create --format verity` makes one"),
            }
        }
    };
    let mount = disk.mount.clone().unwrap_or_default().into_bytes();
    Ok(Disk { format, changes: disk.changes, mount })
}

/// Whether the enclave polls busily.
pub fn busy_poll(options: &Options) -> bool {
    options.poll == Some(Poll::Busy)
}

/// Opens where text goes.
///
/// # Errors
/// If the file cannot be made.
pub fn open(destination: &Destination) -> Result<File> {
    match destination {
        Destination::Stderr => duplicate(std::io::stderr()),
        Destination::File(path) => File::create(path).with_context(|| format!("cannot write {}", path.display())),
    }
}

/// A descriptor of our own for a standard stream.
///
/// # Errors
/// If the stream is closed.
pub fn duplicate(stream: impl AsFd) -> Result<File> {
    Ok(stream.as_fd().try_clone_to_owned().context("a standard stream is closed")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::values::Without;
    use rkt_image_builder::Config;
    use std::ffi::OsString;

    fn root() -> Root {
        let image = File::open("/dev/null").unwrap();
        let (argv, account, config) = (vec![OsString::from("true")], Account::default(), Config::default());
        Root { image, digest: [7; 32], argv, account, config, program: None, disk: None, warnings: Vec::new() }
    }

    fn quiet() -> Options {
        Options { net: Some(Net::None), ..Options::default() }
    }

    fn plan(options: &Options) -> Result<Plan> {
        Plan::new(options, &Target::Program(vec!["true".into()]), &root())
    }

    fn digest(options: &Options) -> [u8; 32] {
        rkt_manifest::digest(&plan(options).unwrap().manifest.encode().unwrap())
    }

    #[test]
    fn the_measure_is_stable_and_sees_what_matters() {
        let base = digest(&quiet());
        assert_eq!(base, digest(&quiet()));
        // Launch input is not measured.
        for same in [
            Options { name: Some("a".into()), ..quiet() },
            Options { quiet: true, ..quiet() },
            Options { stats: Some(Destination::Stderr), ..quiet() },
            Options { poll: Some(Poll::Busy), ..quiet() },
            Options { without: vec![Without::Aes], ..quiet() },
        ] {
            assert_eq!(base, digest(&same), "{same:?}");
        }
        for other in [
            Options { strace: Some(Destination::Stderr), ..quiet() },
            Options { tty: true, ..quiet() },
            Options { cpus: Some(2), ..quiet() },
            Options { workdir: Some("/tmp".into()), ..quiet() },
            Options { env: vec!["A=1".parse().unwrap()], ..quiet() },
            Options { net: Some(Net::User), ..quiet() },
        ] {
            assert_ne!(base, digest(&other), "{other:?}");
        }
        let target = Target::Program(vec!["true".into()]);
        let of_root = |root: &Root| Plan::new(&quiet(), &target, root).unwrap().manifest;
        let somebody = Root { account: Account::find("1", "", "").unwrap(), ..root() };
        assert_ne!(of_root(&root()), of_root(&somebody));
        let config = Config { env: Some(vec!["A=1".into()]), ..Config::default() };
        assert_ne!(of_root(&root()), of_root(&Root { config, ..root() }));
    }

    #[test]
    fn the_hosts_environment_stays_outside() {
        let manifest = plan(&quiet()).unwrap().manifest;
        let keys: Vec<_> = manifest.env.iter().map(|v| v.split(|b| *b == b'=').next().unwrap()).collect();
        assert_eq!(keys, [&b"HOME"[..], b"HOSTNAME", b"PATH"]);
        // Unless it is asked in; cargo sets this one.
        let named = Options { env: vec!["CARGO_PKG_NAME".parse().unwrap()], ..quiet() };
        assert!(plan(&named).unwrap().manifest.env.contains(&b"CARGO_PKG_NAME=rkt-io".to_vec()));
    }

    #[test]
    fn later_variables_win() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "# comment\n\nA=file\nB=file\n").unwrap();
        let options = Options { env_file: vec![file.path().into()], env: vec!["A=flag".parse().unwrap()], ..quiet() };
        let env = plan(&options).unwrap().manifest.env;
        assert!(env.contains(&b"A=flag".to_vec()) && env.contains(&b"B=file".to_vec()));
    }

    #[test]
    fn a_program_keeps_the_name_by_which_it_is_found() {
        let name = |asked: &str, program: &str| {
            let env = [b"PATH=/usr/sbin:/usr/bin".to_vec()];
            String::from_utf8(name_in_image(asked.as_bytes(), Path::new(program), &env)).unwrap()
        };
        assert_eq!(name("ls", "/usr/bin/ls"), "ls");
        assert_eq!(name("/usr/bin/ls", "/usr/bin/ls"), "/usr/bin/ls");
        assert_eq!(name("python", "/opt/pyenv/bin/python3.12"), "/opt/pyenv/bin/python3.12");
        assert_eq!(name("tool", "/opt/bin/tool"), "/opt/bin/tool");
        assert_eq!(name("./a.out", "/home/me/a.out"), "/home/me/a.out");
    }

    #[test]
    fn network_options_need_a_network() {
        let error = plan(&Options { publish: vec!["80:80".parse().unwrap()], ..quiet() }).err().unwrap();
        assert!(error.to_string().contains("-p needs a network"));
    }

    #[test]
    fn both_ends_of_a_tap_agree() {
        let options = Options { net: Some(Net::Tap(None)), ip: Some("10.9.8.1/24".parse().unwrap()), ..quiet() };
        let plan = plan(&options).unwrap();
        let gateway = Ipv4Addr::new(10, 9, 8, 2);
        let Some(Network::Tap { options: tap, guest, .. }) = plan.network else { panic!("no TAP") };
        assert_eq!((tap.host4, guest.to_string()), (Some((gateway, 24)), "10.9.8.1".into()));
        let expected = Ipv4::Static { address: Ipv4Addr::new(10, 9, 8, 1), prefix: 24, gateway: Some(gateway) };
        assert_eq!(plan.manifest.network[0].ipv4, expected);
        assert!(plan.manifest.encode().is_ok());
    }
}
