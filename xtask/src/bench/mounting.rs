//! `mountdevice` and `unmountdevice` of a formatted disk, against a shell that runs the same programs.

use anyhow::{Result, ensure};

use super::{
    figure::{Bound, Figure},
    node::Node,
    sample::Sample,
    stopwatch::{Cost, cost},
};

/// What both calls cost, and what the child processes have of it.
pub(super) struct Mounting {
    pub(super) figures: Vec<Figure>,
    pub(super) children: Vec<Child>,
}

/// A program that a call runs.
pub(super) struct Child {
    pub(super) call: &'static str,
    /// Its command line, without the paths.
    pub(super) line: String,
    /// The median of its wall time when it is run alone, in milliseconds.
    pub(super) millis: f64,
    /// Why it is not a system call.
    pub(super) because: &'static str,
}

impl Mounting {
    pub(super) fn measure(node: &Node) -> Result<Self> {
        // The first call formats the disk.
        cost(node.mount_device())?;
        cost(node.unmount_device())?;
        let (mount, unmount) =
            (node.programs_of(node.mount_device())?, node.programs_of(node.unmount_device())?);
        ensure!(!mount.is_empty() && !unmount.is_empty(), "the calls run no programs");
        let round = |_| Round::run(node, &mount, &unmount);
        let rounds = (0..ROUNDS).map(round).collect::<Result<Vec<_>>>()?;
        let figures = vec![
            ratio("`mountdevice`, wall time of its programs in a shell", &rounds, |it| it.mount),
            ratio(
                "`unmountdevice`, wall time of `sync` and its program in a shell",
                &rounds,
                |it| it.unmount,
            ),
        ];
        let calls = mount.iter().map(|line| ("mountdevice", line));
        let calls = calls.chain(unmount.iter().map(|line| ("unmountdevice", line)));
        let children = calls.enumerate().map(|(index, (call, line))| {
            let alone: Sample =
                rounds.iter().filter_map(|it| it.alone.get(index).copied()).collect();
            Child { call, line: without_paths(line), millis: alone.median(), because: reason(line) }
        });
        Ok(Self { figures, children: children.collect() })
    }
}

/// Neighbours in time.
struct Round {
    mount: Pair,
    unmount: Pair,
    /// Every program by itself, in their order.
    alone: Vec<f64>,
}

/// One call, and its programs in a shell.
#[derive(Clone, Copy)]
struct Pair {
    ours: Cost,
    shell: Cost,
}

impl Round {
    fn run(node: &Node, mount: &[String], unmount: &[String]) -> Result<Self> {
        let ours = (cost(node.mount_device())?, cost(node.unmount_device())?);
        // The driver's syncfs tells whether the data has arrived; a shell has only this to ask.
        let flushed: Vec<_> = [node.flush()].into_iter().chain(unmount.iter().cloned()).collect();
        let shell = (cost(node.shell(mount))?, cost(node.shell(&flushed))?);
        let alone = mount.iter().chain(unmount).map(|line| Ok(cost(node.alone(line))?.wall));
        Ok(Self {
            mount: Pair { ours: ours.0, shell: shell.0 },
            unmount: Pair { ours: ours.1, shell: shell.1 },
            alone: alone.collect::<Result<_>>()?,
        })
    }
}

fn ratio(what: &'static str, rounds: &[Round], call: fn(&Round) -> Pair) -> Figure {
    let ours: Sample = rounds.iter().map(|it| call(it).ours.wall).collect();
    let shell: Sample = rounds.iter().map(|it| call(it).shell.wall).collect();
    let ratios: Sample = rounds.iter().map(|it| call(it).ours.wall / call(it).shell.wall).collect();
    Figure {
        what,
        unit: "×",
        median: ratios.median(),
        best: Some(ours.least() / shell.least()),
        also: Some(format!("{:.1} ms", ours.median())),
        bound: Bound::AtMost(1.15),
        go: "–",
        because: "the driver looks before and after what the shell just does".to_owned(),
    }
}

/// `blkid -p -o export DISK`
fn without_paths(line: &str) -> String {
    let word = |word: &str| match word {
        disk if disk.starts_with("/dev/") => "DISK".to_owned(),
        dir if dir.starts_with('/') => "DIR".to_owned(),
        other => other.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn reason(line: &str) -> &'static str {
    match line.split(' ').next().unwrap_or_default() {
        "blkid" => "knows the formats of the world; our own search is the second probe",
        "e2fsck" => "nothing else repairs ext",
        "mount" | "umount" => {
            "one that hangs in the kernel can be given up; mount(8) knows the options"
        }
        _ => "",
    }
}

const ROUNDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out_of_a_line() {
        for (line, expected) in [
            ("blkid -p -o export /dev/loop3", "blkid -p -o export DISK"),
            ("mount -t ext4 /dev/loop3 /tmp/x/mounts/y", "mount -t ext4 DISK DIR"),
        ] {
            assert_eq!(without_paths(line), expected);
        }
    }
}
