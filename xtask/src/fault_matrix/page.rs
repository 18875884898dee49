//! The page: a table a call.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{
    observation::Observation,
    rows::{self, Row},
};

/// The page for what was `seen`.
pub(super) fn page(seen: &[Observation]) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut call = "";
    for row in rows::rows() {
        if row.call != call {
            call = row.call;
            text += &format!("\n## {call}\n\n{HEAD}");
        }
        text += &lines(&row, seen);
    }
    text
}

fn lines(row: &Row, seen: &[Observation]) -> String {
    let Row { id, fault, must, .. } = row;
    let mut seen = seen.iter().filter(|it| it.row == *id).peekable();
    if seen.peek().is_none() {
        let reason = row.elsewhere.unwrap_or("not seen by any test yet");
        let verdict = if row.elsewhere.is_some() { "–" } else { "**open**" };
        return format!("| {id} | {fault} | {must} | {reason} | | | {verdict} |\n");
    }
    let mut text = String::new();
    let mut first = format!("| {id} | {fault} | {must} ");
    for it in seen {
        let verdict = if it.passed { "pass" } else { "**FAIL**" };
        let (done, outcome) = (cell(&it.done), cell(&it.outcome));
        let (machine, message) = (it.machine, cell(&it.message));
        text += &format!("{first}| {done} ({machine}) | {outcome} | {message} | {verdict} |\n");
        first = "| | | ".to_owned();
    }
    text
}

/// A text without what differs from run to run, fit for a cell.
fn cell(text: &str) -> String {
    let mut text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    for (pattern, name) in &*RANDOM {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    text
}

/// Names that are made anew in every run, and what the page shows for them.
static RANDOM: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"\b([0-9a-f]{2}:){15}[0-9a-f]{2}\b", "FINGERPRINT"),
        (r"(ocid1\.[a-z]+)\.[a-z0-9.-]*[a-z0-9]{20,}", "$1…"),
        (r"\b[a-z0-9]{50,}\b", "aaaa…"),
        (r"/tmp/\.tmp[A-Za-z0-9]+", "…"),
        (r"/dev/loop[0-9]+", "/dev/loopN"),
        (r"\bloop[0-9]+\b", "loopN"),
        (r"/dev/sd[a-z]+", "/dev/sdX"),
        (r"\b(7|8|253|254|259):[0-9]+\b", "$1:N"),
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
        (r"\b(pid|process) [0-9]+", "$1 N"),
        (r"opc-request-id [A-Za-z0-9/-]+", "opc-request-id …"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME"),
    ];
    let compiled = |(pattern, name)| Some((Regex::new(pattern).ok()?, name));
    patterns.into_iter().filter_map(compiled).collect()
});

const INTRODUCTION: &str = "\
# The fault matrix

What can go wrong in each call, what must come out, and what came out when it was tried. Written by the
tests (`cargo xtask ci`, or `cargo xtask fault-matrix` after a run of `test` and of `vm-test`), never by
hand. “Host” is the contract suite on loop devices with the simulated cloud, “VM” is real iSCSI in
a virtual machine; [testing.md](testing.md) tells how to run both. Names that differ from run to run are
shown as UUID, …, N or X.
";
const HEAD: &str = "\
| row | fault | must | done | outcome | message | verdict |\n|---|---|---|---|---|---|---|\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        let cases = [
            ("/dev/loop12 (7:12) at /tmp/.tmpAb3xYz/k", "/dev/loopN (7:N) at …/k"),
            (
                "volume ocid1.volume.oc1.phx.aaaaaaaaaaaaaaaaaaaaaaaaaaaa is gone",
                "volume ocid1.volume… is gone",
            ),
            ("0a1b2c3d-0000-1111-2222-333344445555", "UUID"),
            ("key 2f:35:41:16:54:72:67:b5:83:cc:ab:63:60:dc:61:34: no", "key FINGERPRINT: no"),
            ("a|b\nc", "a\\|b c"),
        ];
        for (text, shown) in cases {
            assert_eq!(cell(text), shown);
        }
        assert_eq!(RANDOM.len(), 13, "a pattern does not compile");
    }
}
