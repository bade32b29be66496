//! Cells of the matrix: what a link does, by name.

use crate::Shape;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::str::FromStr;

const MS: u64 = 1_000_000;
/// How long a held frame is held at most, beside the round trip's quarter.
const HOLD: u64 = MS;

/// A kind of link, alike in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it does, in words that [`Cell::from_str`] reads.
    pub name: String,
    /// How each direction is.
    pub shape: Shape,
}

/// The matrix: loss by round trip, then rates with queues, then all else that links do.
pub fn matrix() -> Vec<Cell> {
    let losses = ["0.1%", "1%", "5%"];
    let rtts = ["0ms", "10ms", "100ms"];
    let grid = losses.iter().flat_map(|loss| rtts.map(|rtt| format!("loss={loss},rtt={rtt}")));
    let others = [
        "rtt=0ms",
        "rtt=100ms",
        "rate=10M,rtt=40ms,queue=64k",
        "rate=100M,rtt=20ms,queue=256k",
        "rate=100M,rtt=100ms,queue=256k",
        "rate=500M,rtt=10ms,queue=1024k",
        "rate=100M,rtt=20ms,queue=256k,loss=0.1%",
        "reorder=1%,rtt=10ms",
        "reorder=10%,rtt=10ms",
        "reorder=2%,rtt=100ms",
        "duplicate=1%,rtt=10ms",
        "corrupt=0.1%,rtt=10ms",
        "rate=50M,rtt=20ms,queue=256k,loss=0.5%,reorder=1%,duplicate=1%,corrupt=0.1%",
    ];
    grid.chain(others.map(str::to_owned)).map(|name| name.parse().expect("a cell of the matrix")).collect()
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Cell {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut shape = Shape::default();
        for word in text.split(',') {
            let (name, value) = word.split_once('=').with_context(|| format!("{word}: there is no ="))?;
            match name {
                "loss" => shape.loss = chance(value)?,
                "reorder" => shape.reorder = chance(value)?,
                "duplicate" => shape.duplicate = chance(value)?,
                "corrupt" => shape.corrupt = chance(value)?,
                // Half of it each way.
                "rtt" => shape.delay = time(value)? / 2,
                "rate" => shape.rate = quantity(value, "M", 1_000_000)?,
                "queue" => shape.queue = quantity(value, "k", 1024)?,
                _ => bail!("{name}: a link has loss, rtt, rate, queue, reorder, duplicate and corrupt"),
            }
        }
        shape.hold = HOLD + shape.delay / 2;
        Ok(Self { name: text.to_owned(), shape })
    }
}

fn chance(text: &str) -> Result<u64> {
    let percent: f64 = text.strip_suffix('%').with_context(|| format!("{text}: no %"))?.parse()?;
    Ok((percent * 10_000.0).round() as u64)
}

fn time(text: &str) -> Result<u64> {
    quantity(text, "ms", MS)
}

fn quantity(text: &str, unit: &str, size: u64) -> Result<u64> {
    let number: u64 = text.strip_suffix(unit).with_context(|| format!("{text}: not in {unit}"))?.parse()?;
    Ok(number * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_link_does() {
        let cell: Cell = "rate=50M,rtt=20ms,queue=256k,loss=0.5%".parse().unwrap();
        let shape =
            Shape { loss: 5000, delay: 10 * MS, hold: 6 * MS, rate: 50_000_000, queue: 256 << 10, ..Shape::default() };
        assert_eq!(cell.shape, shape);
        assert!("loss=1".parse::<Cell>().is_err() && "colour=red".parse::<Cell>().is_err());
        assert_eq!(matrix().len(), 22);
    }
}
