//! Shell scripts as commands, and processes as seen from outside.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use command::{Command, Error, Output, Runner, SystemRunner};

/// Long enough never to be reached on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Short enough to be waited for.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn runner() -> SystemRunner {
    SystemRunner { search_path: "/usr/sbin:/usr/bin:/sbin:/bin".into() }
}

pub(crate) fn shell(script: &str, limit: Duration) -> Command {
    Command::new("sh", limit).args(["-c", script])
}

/// Runs `script`, which ends by itself.
#[track_caller]
pub(crate) fn output(script: &str) -> Output {
    run(script, LONG).unwrap()
}

pub(crate) fn run(script: &str, limit: Duration) -> Result<Output, Error> {
    runner().run(&shell(script, limit))
}

/// Fails unless every process whose command line contains `mark` ends soon.
#[track_caller]
pub(crate) fn assert_gone(mark: &str) {
    let start = Instant::now();
    while start.elapsed() < LONG {
        if alive(mark).is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("still alive: {:?}", alive(mark));
}

/// The processes whose command line contains `mark`, as soon as there are some: one that is
/// just in `execve` has an empty command line.
#[track_caller]
pub(crate) fn wait_for_alive(mark: &str) -> Vec<u32> {
    let start = Instant::now();
    while start.elapsed() < LONG {
        let found = alive(mark);
        if !found.is_empty() {
            return found;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{mark} should have been left behind");
}

/// The processes whose command line contains `mark`.
fn alive(mark: &str) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u32>().ok())
    });
    let matches = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    numbers.filter(matches).collect()
}

/// A file that appears only if `script` comes that far.
#[track_caller]
pub(crate) fn wait_for(path: &std::path::Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < LONG, "{} never appeared", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}
