//! Who keeps a file system busy: a hint for the operator, never a decision.

use std::{fs, path::Path};

use disk::{Host, mountinfo::Entry};

/// Mounts below `dir` and processes with a file, their working or root folder or their program
/// there; the first few. Nothing in the file system itself is touched, which may be dead.
pub(crate) fn users(host: &Host, table: &[Entry], dir: &Path) -> Vec<String> {
    let nested = table
        .iter()
        .filter(|entry| entry.dir != dir && entry.dir.starts_with(dir))
        .map(|entry| format!("{} is mounted in it", entry.dir.display()));
    let processes = fs::read_dir(&host.proc).into_iter().flatten().flatten();
    let processes = processes
        .filter(|process| {
            process.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())
        })
        .filter_map(|process| used_by(&process.path(), dir));
    nested.chain(processes).take(SHOWN).collect()
}

fn used_by(process: &Path, dir: &Path) -> Option<String> {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let links = ["cwd", "root", "exe"].map(|name| process.join(name));
    let link = links
        .into_iter()
        .chain(files.map(|file| file.path()))
        .filter_map(|link| fs::read_link(link).ok())
        .find(|target| target.starts_with(dir))?;
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let name = name.trim().replace(char::is_control, "?");
    let pid = process.file_name().unwrap_or_default();
    log::info!(pid:% = pid.display(), program:% = name, file:% = link.display(); "the file system is in use");
    Some(format!("{name} uses {}", link.display()))
}

const SHOWN: usize = 10;
