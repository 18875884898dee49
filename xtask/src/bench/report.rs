//! The figures as text: a table, a sentence, a document.

use super::{binary::Binary, figure::Figure, machine::Machine, mounting::Child};

/// What one run has found out.
pub(super) struct Report<'a> {
    pub(super) machine: &'a Machine,
    pub(super) binary: &'a Binary,
    pub(super) figures: &'a [Figure],
    pub(super) children: &'a [Child],
}

impl Report<'_> {
    /// The whole of `docs/performance.md`.
    pub(super) fn document(&self) -> String {
        let Self { machine, binary, .. } = self;
        format!(
            "# Performance\n\n\
             {}\n\
             {} Measured on {}, in one run, on this machine: {machine}.\n\
             What was measured is {}; “Go” is the driver that this one replaces. Figures are medians; “best” is\n\
             what remains when nothing else disturbs the machine.\n\n\
             `cargo xtask bench`, as root, measures everything anew and writes this file. Where a ratio is\n\
             measured, both sides take turns, so a busy machine changes it little; all other figures want a quiet one.\n\n\
             ## Child processes\n\n\
             What the calls run on a formatted disk, each run alone beside the calls:\n\n\
             {}\n\
             {DROPPED}",
            self.table(),
            self.conclusion(),
            machine.date,
            binary.kind,
            self.processes(),
        )
    }

    /// Markdown that can be read as it is.
    pub(super) fn table(&self) -> String {
        table(HEAD, self.figures.iter().map(row))
    }

    /// What each child process costs, as a table too.
    pub(super) fn processes(&self) -> String {
        let row = |child: &Child| {
            let took = format!("{:.1} ms", child.millis);
            [child.call.to_owned(), child.line.clone(), took, child.because.to_owned()]
        };
        table(["call", "program", "alone", "why a process"], self.children.iter().map(row))
    }

    /// Whether all is well.
    pub(super) fn conclusion(&self) -> String {
        match self.figures.iter().filter(|it| it.gap().is_some()).count() {
            0 => "Every bound is met.".to_owned(),
            1 => "One bound is missed.".to_owned(),
            count => format!("{count} bounds are missed."),
        }
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..N).map(|column| width(&rows, column)).collect();
    let rule = widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|");
    let mut lines = rows.iter().map(|row| line(row, &widths));
    let head = lines.next().unwrap_or_default();
    lines.fold(format!("{head}|{rule}|\n"), |table, line| table + &line)
}

fn row(figure: &Figure) -> [String; 5] {
    let (what, go) = (figure.what.to_owned(), figure.go.to_owned());
    [what, figure.measured(), figure.bound(), go, figure.verdict()]
}

fn width<const N: usize>(rows: &[[String; N]], column: usize) -> usize {
    rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max().unwrap_or(0)
}

fn line<const N: usize>(row: &[String; N], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths);
    let cells = cells.map(|(cell, &width)| format!("| {cell:width$} "));
    cells.collect::<String>() + "|\n"
}

const DROPPED: &str = "\
Every other look is a system call or a file of the kernel's, not a process: the mount table (not `findmnt`),\n\
size and flags of a disk (not `blockdev` or `lsblk`), sessions (not `iscsiadm`), `syncfs` (not `sync`), and\n\
the exclusive claim (not `fuser`). `wipefs` is heard only when blkid and our own search do not agree on one\n\
file system, and before a format, where `udevadm settle` comes too.\n";
const HEAD: [&str; 5] = ["figure", "measured", "bound", "Go", "verdict"];
