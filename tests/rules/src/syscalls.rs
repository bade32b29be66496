//! The page on system calls, written from the table in the kernel's source.

use anyhow::{Context, Result};
use std::fmt::Write;

/// The table.
pub const TABLE: &str = "trusted/kernel/src/syscall/table.rs";
/// The page.
pub const PAGE: &str = "docs/syscalls.md";

/// A line `number name(arguments) = handler, completeness;`.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Number on x86-64.
    pub number: u64,
    /// Name.
    pub name: &'a str,
    /// Names of the arguments.
    pub arguments: Vec<&'a str>,
    /// `Full` or `Partial`.
    pub completeness: &'a str,
}

/// Reads the table out of the text of its file.
///
/// # Errors
/// If there is no table, or a line in it has another form.
pub fn parse(text: &str) -> Result<Vec<Call<'_>>> {
    let (_, table) = text.split_once("\ntable! {\n").context("no `table!`")?;
    let (table, _) = table.split_once("\n}").context("the table does not end")?;
    let lines = table.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| call(line).with_context(|| format!("line `{line}`"))).collect()
}

fn call(line: &str) -> Option<Call<'_>> {
    let (number, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once('(')?;
    let (arguments, rest) = rest.split_once(')')?;
    let (_, completeness) = rest.strip_suffix(';')?.rsplit_once(", ")?;
    let names = arguments.split(", ").filter_map(|argument| argument.split(':').next());
    let arguments = names.filter(|name| !name.is_empty()).collect();
    Some(Call { number: number.parse().ok()?, name, arguments, completeness })
}

/// The page.
///
/// # Errors
/// As [`parse`].
pub fn page(text: &str) -> Result<String> {
    let mut calls = parse(text)?;
    calls.sort_by_key(|call| call.number);
    let partial = calls.iter().filter(|call| call.completeness == "Partial").count();
    let mut page = format!(
        "# System calls\n\n\
         Written by `cargo xtask syscalls` from `{TABLE}`; do not edit.\n\n\
         {} calls, {partial} of them partial: some flags or cases answer with the error that Linux gives\n\
         for unsupported ones. All other numbers answer `ENOSYS` and are counted.\n\n\
         | Number | Call | Complete |\n|---:|---|---|\n",
        calls.len()
    );
    for Call { number, name, arguments, completeness } in &calls {
        let how = if *completeness == "Full" { "yes" } else { "partial" };
        writeln!(page, "| {number} | `{name}({})` | {how} |", arguments.join(", "))?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_put_in_order() {
        let text = "macro_rules! table {}\ntable! {\n    39 getpid() = identity::getpid, Full;\n    \
                    0 read(fd: Fd, buf: Pointer) = read_write::read, Partial; // comment\n}\n";
        let page = page(text).unwrap();
        assert!(page.contains("2 calls, 1 of them partial"));
        assert!(page.contains("| 0 | `read(fd, buf)` | partial |\n| 39 | `getpid()` | yes |\n"));
        assert!(parse("table! {\n nonsense\n}").is_err());
    }
}
