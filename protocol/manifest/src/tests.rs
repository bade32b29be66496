use std::vec;
use std::vec::Vec;

use crate::*;

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn minimal() -> Manifest {
    Manifest {
        argv: vec![bytes("/bin/true")],
        env: vec![],
        workdir: bytes("/"),
        hostname: bytes("rkt"),
        user: User::default(),
        root: RootIdentity::Image { digest: [0xab; 32] },
        memory: 1 << 30,
        cpus: 1,
        network: vec![],
        plaintext_network: false,
        disks: vec![],
        stdio: Stdio::default(),
        signals: Signals::NONE,
        debug: false,
        allow_exec: false,
        anchor: Anchor::None,
    }
}

/// A manifest in which every list has items and every option a value.
fn full() -> Manifest {
    let mut manifest = Manifest {
        argv: vec![bytes("redis-server"), bytes(""), bytes("--port=1")],
        workdir: bytes("/var/lib/redis"),
        hostname: bytes("db-1.example"),
        user: User { uid: 1000, gid: 100, groups: vec![4, 24, 27] },
        cpus: 4,
        network: vec![
            Interface {
                kind: InterfaceKind::VirtioNet,
                name: bytes("eth0"),
                ipv4: Ipv4::Static { address: [10, 0, 0, 2].into(), prefix: 24, gateway: Some([10, 0, 0, 1].into()) },
                ipv6: Ipv6::Static {
                    address: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2].into(),
                    prefix: 64,
                    gateway: Some([0xfe80, 0, 0, 0, 0, 0, 0, 1].into()),
                },
                mtu: 1500,
                mac: Some([2, 0, 0, 0, 0, 1]),
                dns: vec![[10, 0, 0, 1].into(), [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].into()],
            },
            Interface {
                kind: InterfaceKind::VirtioNet,
                name: bytes("eth1"),
                ipv4: Ipv4::Dhcp,
                ipv6: Ipv6::Auto,
                mtu: 9000,
                mac: None,
                dns: vec![],
            },
        ],
        plaintext_network: true,
        disks: vec![Disk { format: DiskFormat::Plain, changes: Changes::Refused, mount: bytes("/data") }],
        stdio: Stdio { stdin: Stream::Plain, stdout: Stream::Plain, stderr: Stream::None, tty: true },
        signals: Signals::ALL,
        debug: true,
        allow_exec: true,
        ..minimal()
    };
    manifest.set_env(b"PATH", b"/usr/bin");
    manifest.set_env(b"A_B", b"x=y");
    manifest.set_env(b"A", b"first");
    manifest.set_env(b"A", b"second");
    manifest
}

#[test]
fn round_trip() {
    for manifest in [minimal(), full()] {
        let encoded = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&encoded), Ok(manifest));
    }
    assert_eq!(full().env, [bytes("A=second"), bytes("A_B=x=y"), bytes("PATH=/usr/bin")]);
}

/// The bytes of a version never change: measurements of the past depend on them.
#[test]
fn the_encoding_is_pinned() {
    let mut expected = Vec::new();
    expected.extend(b"RKTMANIF\x02\0\0\0");
    expected.extend(b"\x01\0\0\0\x09\0\0\0/bin/true"); // argv
    expected.extend(b"\0\0\0\0"); // env
    expected.extend(b"\x01\0\0\0/\x03\0\0\0rkt"); // workdir, hostname
    expected.extend([0; 12]); // uid, gid, groups
    expected.push(1); // root: image
    expected.extend([0xab; 32]);
    expected.extend(b"\0\0\0\x40\0\0\0\0"); // memory
    expected.extend(b"\x01\0\0\0"); // cpus
    expected.extend(b"\0\0\0\0\0"); // network, plaintext_network
    expected.extend(b"\0\0\0\0"); // disks
    expected.extend(b"\0\0\0\0"); // stdio
    expected.extend([0; 8]); // signals
    expected.extend(b"\0\0\0"); // debug, allow_exec, anchor
    assert_eq!(minimal().encode().unwrap(), expected);
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let encoded = full().encode().unwrap();
    for len in 0..encoded.len() {
        assert!(Manifest::decode(&encoded[..len]).is_err(), "length {len}");
    }
    let mut longer = encoded;
    longer.push(0);
    assert_eq!(Manifest::decode(&longer), Err(ManifestError::Trailing));
}

/// What decodes at all is the encoding of what it decodes to.
#[test]
fn no_second_encoding() {
    let encoded = full().encode().unwrap();
    for position in 0..encoded.len() {
        for value in 0..=255 {
            let mut altered = encoded.clone();
            altered[position] = value;
            if let Ok(manifest) = Manifest::decode(&altered) {
                assert_eq!(manifest.encode().as_ref(), Ok(&altered), "byte {position} = {value}");
            }
        }
    }
}

fn refused(change: impl Fn(&mut Manifest)) -> ManifestError {
    let mut manifest = full();
    change(&mut manifest);
    manifest.encode().unwrap_err()
}

#[test]
fn rules_are_kept() {
    use ManifestError::*;
    assert_eq!(refused(|m| m.argv.clear()), Invalid("argv"));
    assert_eq!(refused(|m| m.argv[1] = bytes("a\0")), Invalid("argv"));
    assert_eq!(refused(|m| m.env.reverse()), NotSorted("env"));
    assert_eq!(refused(|m| m.env[1] = bytes("A=again")), NotSorted("env"));
    assert_eq!(refused(|m| m.env[0] = bytes("A")), Invalid("env"));
    assert_eq!(refused(|m| m.set_env(b"", b"x")), Invalid("env"));
    for path in ["", "relative", "/a/", "/a//b", "/a/../b", "/.", "/a\0"] {
        assert_eq!(refused(|m| m.workdir = bytes(path)), Invalid("workdir"), "{path}");
        assert_eq!(refused(|m| m.disks[0].mount = bytes(path)), Invalid("mount point"), "{path}");
    }
    assert_eq!(refused(|m| m.disks[0].mount = bytes("/")), Invalid("mount point"));
    assert_eq!(refused(|m| m.disks.push(m.disks[0].clone())), Invalid("mount point"));
    assert_eq!(refused(|m| m.hostname = bytes("a_b")), Invalid("hostname"));
    assert_eq!(refused(|m| m.hostname = vec![b'a'; 65]), TooLong("hostname"));
    assert_eq!(refused(|m| m.user.groups = vec![4, 4]), NotSorted("groups"));
    assert_eq!(refused(|m| m.memory += 1), Invalid("memory"));
    assert_eq!(refused(|m| m.cpus = 0), Invalid("cpus"));
    assert_eq!(refused(|m| m.network[1].name = bytes("eth0")), Invalid("interface name"));
    assert_eq!(refused(|m| m.network[0].name = bytes("a/b")), Invalid("interface name"));
    assert_eq!(refused(|m| m.network[0].name = vec![b'e'; 16]), TooLong("interface name"));
    assert_eq!(refused(|m| m.network[0].mtu = 575), Invalid("mtu"));
    assert_eq!(refused(|m| m.network[0].mac = Some([1, 0, 0, 0, 0, 0])), Invalid("mac"));
    assert_eq!(refused(|m| m.argv.push(vec![b'x'; limits::ENCODED])), TooLong("manifest"));
}

#[test]
fn addresses_make_sense() {
    let ipv4 = |address: [u8; 4], prefix, gateway: Option<[u8; 4]>| {
        let setup = Ipv4::Static { address: address.into(), prefix, gateway: gateway.map(Into::into) };
        let mut manifest = full();
        manifest.network[0].ipv4 = setup;
        manifest.encode().map(drop)
    };
    assert_eq!(ipv4([10, 0, 0, 2], 0, Some([192, 168, 0, 1])), Ok(()));
    assert_eq!(ipv4([10, 0, 0, 2], 32, None), Ok(()));
    assert_eq!(ipv4([10, 0, 0, 2], 33, None), Err(ManifestError::Invalid("prefix")));
    assert_eq!(ipv4([224, 0, 0, 2], 24, None), Err(ManifestError::Invalid("address")));
    assert_eq!(ipv4([10, 0, 0, 2], 24, Some([10, 0, 1, 1])), Err(ManifestError::Invalid("gateway")));
}

#[test]
fn only_harmless_signals_are_accepted() {
    let accepted: Vec<u32> = (0..=65).filter(|&signal| Signals::ALL.accepts(signal)).collect();
    assert_eq!(accepted, [1, 2, 15, 18, 20, 28]);
    assert!(Signals::from_bits(1 << 14).unwrap().accepts(15));
    for signal in [9, 10, 11, 64] {
        assert_eq!(Signals::from_bits(1 << (signal - 1)), Err(ManifestError::Invalid("signals")));
    }
}

#[test]
fn the_digest_depends_on_every_byte() {
    let encoded = minimal().encode().unwrap();
    let mut digests: Vec<_> = (0..encoded.len())
        .map(|position| {
            let mut altered = encoded.clone();
            altered[position] ^= 1;
            digest(&altered)
        })
        .collect();
    digests.push(digest(&encoded));
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}
