//! `rkt-io bench net`: the network, beside Linux over a veth pair.

mod crowd;
mod inside;
mod iperf;
mod keyvalue;
mod web;

use crate::Common;
use crate::link::{CONGESTION_CONTROL, Link, MTU};
use crate::place::{Place, Places};
use crate::report::{Report, Sides};
use anyhow::Result;
use clap::{Args, ValueEnum};

/// `rkt-io bench net`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What all measurements have.
    #[command(flatten)]
    pub common: Common,
    /// What to measure [default: all].
    #[arg(value_enum, value_name = "PART")]
    pub parts: Vec<Part>,
    /// vCPUs of the enclave.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: u32,
    /// Time of each load in each run [default: 3, --quick: 1].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: Option<u32>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// TCP within the enclave: no device.
    Loopback,
    /// UDP, 32 bytes at a time (figure 1a).
    Udp,
    /// iperf3 with and without offloads and direct copies (figures 1c and 5b).
    Iperf,
    /// iperf3 between two enclaves on a wire of shared memory.
    Wire,
    /// nginx under wrk, HTTP and HTTPS (figures 7b and 7c).
    Web,
    /// Redis, with TLS and without (figures 7d and 7e).
    Redis,
    /// Redis alone and beside 10,000 idle connections.
    Crowd,
}

impl Options {
    /// Everything, as by default.
    pub fn all(common: &Common) -> Self {
        Self { common: common.clone(), parts: Vec::new(), cpus: 1, seconds: None }
    }

    /// Seconds of each load.
    fn time(&self) -> u32 {
        self.seconds.unwrap_or(if self.common.quick { 1 } else { 3 })
    }
}

/// Runs the parts and adds their figures; what fails is in the report.
pub fn run(options: &Options, places: &Places, report: &mut Report) {
    let all = Part::value_variants();
    for part in if options.parts.is_empty() { all } else { &options.parts } {
        let (name, result) = match part {
            Part::Loopback => ("TCP within the enclave", inside::loopback(options, places, report)),
            Part::Udp => ("UDP", inside::udp(options, places, report)),
            Part::Iperf => ("iperf3", iperf::over_links(options, places, report)),
            Part::Wire => ("iperf3 between enclaves", iperf::between_enclaves(options, places, report)),
            Part::Web => ("nginx", web::run(options, places, report)),
            Part::Redis => ("Redis", keyvalue::run(options, places, report)),
            Part::Crowd => ("Redis beside idle connections", crowd::run(options, places, report)),
        };
        if let Err(error) = result {
            report.not_measured(name, &error);
        }
    }
}

/// The two ways to a server; their numbers are `number` and the next.
///
/// # Errors
/// Without the right to make one, or the tools.
pub fn links(places: &Places, number: u32) -> Result<(Link, Link)> {
    let link = |place: &Place, number| if place.is_enclave() { Ok(Link::tap(number)) } else { Link::veth(number) };
    Ok((link(&places.subject, number)?, link(&places.baseline, number + 1)?))
}

/// What both sides are, with these words about their offloads.
pub fn sides(places: &Places, of_tap: &str, of_veth: &str) -> Sides {
    let side = |place: &Place| match place.is_enclave() {
        true => format!("own stack on a TAP, MTU {MTU}, {of_tap}, --poll {}, no tunnel", places.poll()),
        false => format!("Linux over veth, MTU {MTU}, {of_veth}, {CONGESTION_CONTROL}"),
    };
    Sides { enclave: side(&places.subject), native: side(&places.baseline) }
}

/// Of either side, if nothing is switched off.
pub const OFFLOADS: (&str, &str) = ("checksum and segmentation offload", "default offloads");
