//! The figures for people: a table, a sentence, a document.

use super::{binary::Binary, figure::Figure, machine::Machine};

/// What one run has found out.
pub(super) struct Report<'a> {
    pub(super) machine: &'a Machine,
    pub(super) binary: &'a Binary,
    pub(super) figures: &'a [Figure],
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
             measured, both sides take turns, so a busy machine changes it little; all other figures want a quiet one.\n",
            self.table(),
            self.conclusion(),
            machine.date,
            binary.kind,
        )
    }

    /// Markdown that can be read as it is.
    pub(super) fn table(&self) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.figures.iter().map(row));
        let widths: Vec<usize> = (0..HEAD.len()).map(|column| width(&rows, column)).collect();
        let rule = widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|");
        let mut lines = rows.iter().map(|row| line(row, &widths));
        let head = lines.next().unwrap_or_default();
        lines.fold(format!("{head}|{rule}|\n"), |table, line| table + &line)
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

fn row(figure: &Figure) -> [String; 5] {
    let (what, go) = (figure.what.to_owned(), figure.go.to_owned());
    [what, figure.measured(), figure.bound(), go, figure.verdict()]
}

fn width(rows: &[[String; 5]], column: usize) -> usize {
    rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max().unwrap_or(0)
}

fn line(row: &[String; 5], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths);
    let cells = cells.map(|(cell, &width)| format!("| {cell:width$} "));
    cells.collect::<String>() + "|\n"
}

const HEAD: [&str; 5] = ["figure", "measured", "bound", "Go", "verdict"];
