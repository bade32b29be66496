//! `make -j2` of a C project that is written here, by gcc.

use super::Options;
use crate::folder::Folder;
use crate::pairs::{Side, interleave};
use crate::place::{Beside, Places, no_network, require};
use crate::process::lines;
use crate::programs::{TIMED, measure};
use crate::report::Report;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);
/// Files of the project, and functions in each; --quick has fewer files.
const FILES: u32 = 24;
const FUNCTIONS: u32 = 60;
const MAKEFILE: &str = "\
program: $(patsubst %.c,%.o,$(wildcard *.c))
\tgcc -o $@ $^
%.o: %.c
\tgcc -O1 -c -o $@ $<
";

/// Measures it and adds the figure.
pub fn run(options: &Options, places: &Places, report: &mut Report) -> Result<()> {
    let [make, gcc, assembler, linker, shell] =
        [("make", "make"), ("gcc", "gcc"), ("as", "binutils"), ("ld", "binutils"), ("sh", "dash")]
            .map(|(program, package)| require(program, package));
    let (make, gcc) = (make?, gcc?);
    let folder = Folder::new()?;
    let files = if options.common.quick { FILES / 6 } else { FILES };
    write_project(folder.path(), files)?;
    let mut copies: Vec<PathBuf> = inputs(&gcc, folder.path())?.into_iter().collect();
    copies.push(folder.path().into());
    let beside = Beside { programs: vec![make.clone(), gcc, assembler?, linker?, shell?], copies };
    let (subject, baseline) = places.prepare_with(&TIMED.compile(&places.folder)?, &beside)?;
    let setting = options.setting("make and gcc", options.cpus, "none");
    let place = std::env::temp_dir();
    report.condition(
        "load of make",
        format!(
            "{files} files of C with {FUNCTIONS} functions each, gcc -O1, on a tmpfs in the enclave, natively in {}",
            place.display()
        ),
    );
    let (make, project) = (make.display().to_string(), folder.path().display().to_string());
    interleave(options.common.pairs(), &setting, report, |side, readings| {
        let ready = if side == Side::Subject { &subject } else { &baseline };
        let mut command = ready.command(options.cpus, &[no_network(), vec!["--memory=2g".into()]].concat());
        command.args(["make -j2", &make, "-C", &project, "-B", "-s", "-j2"]);
        measure(&mut command, None, LIMIT, readings, &mut Vec::new())
    });
    Ok(())
}

fn write_project(folder: &Path, files: u32) -> Result<()> {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))
    };
    write("Makefile", MAKEFILE)?;
    for file in 0..files {
        write(&format!("part{file}.c"), &part(file))?;
    }
    let declared: String = (0..files).map(|file| format!("int part{file}(int);\n")).collect();
    let sum = (0..files).map(|file| format!("part{file}(10)")).collect::<Vec<_>>().join(" + ");
    write(
        "main.c",
        &format!("#include <stdio.h>\n{declared}int main(void) {{\n    return printf(\"%d\\n\", {sum}) < 0;\n}}\n"),
    )
}

/// Functions that sort, search and print, which differ from each other.
fn part(file: u32) -> String {
    let mut text = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    for number in 0..FUNCTIONS {
        let odd = 2 * (file * FUNCTIONS + number) + 1;
        let _ = write!(
            text,
            "static int by{number}(const void *a, const void *b) {{ return *(const int *)a % {odd} - *(const int *)b % {odd}; }}\n\
             static int work{number}(int n) {{\n    int sum = 0, *all = malloc((n + 1) * sizeof *all);\n    char text[64];\n\
             \x20   for (int i = 0; i < n; i++)\n        all[i] = (i * {odd} + sum) % 1009;\n\
             \x20   qsort(all, n, sizeof *all, by{number});\n\
             \x20   for (int i = 0; i < n; i++) {{\n        snprintf(text, sizeof text, \"%d %d\", all[i], {number});\n\
             \x20       switch (text[0] % 5) {{\n        case 0: sum += strlen(text); break;\n        case 1: sum ^= all[i]; break;\n\
             \x20       case 2: sum -= memcmp(text, \"{odd}\", 1); break;\n        default: sum += i * {number};\n        }}\n    }}\n\
             \x20   free(all);\n    return sum;\n}}\n"
        );
    }
    let sum = (0..FUNCTIONS).map(|number| format!("work{number}(n)")).collect::<Vec<_>>().join(" + ");
    let _ = writeln!(text, "int part{file}(int n) {{\n    return {sum};\n}}");
    text
}

/// Headers and objects that the compiler and the linker read besides the project's own files: as they tell.
fn inputs(gcc: &Path, project: &Path) -> Result<BTreeSet<PathBuf>> {
    let object = project.join("main.o");
    let mut said = String::new();
    let (source, program) = (project.join("empty.c"), project.join("program"));
    std::fs::write(&source, "int main(void) { return 0; }\n")?;
    let steps: [Vec<OsString>; 3] = [
        // Some headers are read with optimisation only.
        vec!["-O1".into(), "-M".into(), project.join("part0.c").into()],
        vec!["-c".into(), "-o".into(), object.clone().into(), source.clone().into()],
        vec!["-Wl,--trace".into(), "-o".into(), program.clone().into(), object.clone().into()],
    ];
    for arguments in steps {
        lines(Command::new(gcc).args(arguments), None, LIMIT, |line| {
            said.push_str(&line.text);
            said.push('\n');
            Ok(())
        })?;
    }
    for made in [source, object, program] {
        std::fs::remove_file(made)?;
    }
    Ok(mentioned(&said).filter(|path| !path.starts_with(project)).collect())
}

/// Absolute paths of files among words; each as it is, and without links and `..`.
fn mentioned(text: &str) -> impl Iterator<Item = PathBuf> {
    let paths = text.split_whitespace().map(PathBuf::from).filter(|path| path.is_absolute() && path.is_file());
    paths.filter_map(|path| path.canonicalize().map(|real| [path, real]).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_compiles_and_its_inputs_are_known() {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), 2).unwrap();
        let inputs = inputs(&require("gcc", "gcc").unwrap(), folder.path()).unwrap();
        for name in ["stdio.h", "stddef.h", "crti.o", "libc.so.6"] {
            assert!(inputs.iter().any(|path| path.ends_with(name)), "{name} in {inputs:?}");
        }
        crate::process::run(Command::new("make").arg("-C").arg(folder.path()).arg("-s"), LIMIT).unwrap();
        assert!(folder.path().join("program").is_file());
    }
}
