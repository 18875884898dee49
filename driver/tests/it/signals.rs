//! What ends a process is answered too, whatever has become of the log.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, mknodat},
    process::{Pid, Signal, kill_process},
};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::{
    dead_file_system::DeadFileSystem,
    support::{binary, cluster_with, failure_with, read_log, success},
};

/// attach of a volume that stays ATTACHING, with the log in `dir`, and `signal` as soon as it waits.
fn interrupted(cluster: &Cluster, dir: &Path, signal: Signal) -> Answer {
    let mut command = cluster.controller().command(&["attach", &cluster.options(&[]), "node-1"]);
    command.env("OCI_FLEXD_DRIVER_LOG_DIR", dir);
    let sent = cluster.sim.requests().len();
    thread::scope(|scope| {
        let call = scope.spawn(|| testbed::run(command).unwrap());
        while !cluster.sim.requests()[sent..]
            .iter()
            .any(|it| it.path.contains("volumeAttachments/"))
        {
            thread::sleep(Duration::from_millis(10));
        }
        // The only driver that attaches these options.
        let found = Command::new("pgrep").args(["-f", cluster.volume_name()]).output().unwrap();
        let pid = String::from_utf8(found.stdout).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        call.join().unwrap()
    })
}

fn slow_cluster() -> Cluster {
    let attach_delay = Duration::from_secs(60);
    cluster_with(&Setup { attach_delay, nodes: 1, ..Setup::default() })
}

#[test]
fn every_signal_that_ends_a_process_is_answered() {
    let mut row = FaultRow::new("X6", "SIGTERM and ten others while attach waits for ATTACHED");
    let cluster = slow_cluster();
    let dir = cluster.dir().join("log");
    for (signal, name) in [
        (Signal::TERM, "SIGTERM"),
        (Signal::INT, "SIGINT"),
        (Signal::HUP, "SIGHUP"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::VTALARM, "SIGVTALRM"),
        (Signal::PROF, "SIGPROF"),
        (Signal::IO, "SIGIO"),
    ] {
        let answer = interrupted(&cluster, &dir, signal);
        if signal == Signal::TERM {
            row.shows(&answer);
        }
        let message = format!(
            "interrupted by {name} before the call was finished; repeating it continues the work"
        );
        assert_eq!(answer.text, format!("{{\"status\":\"Failure\",\"message\":\"{message}\"}}\n"));
        assert_eq!(answer.code, Some(1));
        let log = read_log(&dir.join("oci_flexvolume_driver.log"));
        let last = log.lines().last().unwrap();
        assert!(last.contains("msg=\"call ends\" verb=attach "), "{last}");
        assert!(last.ends_with(&format!("result=Failure error=\"{message}\"")), "{last}");
    }
}

/// Places where a log hangs who writes it, or opens it.
struct BlockedLogs {
    dirs: Vec<(&'static str, PathBuf)>,
    _dead: DeadFileSystem,
    _full: File,
}

impl BlockedLogs {
    fn below(dir: &Path) -> Self {
        let name = "oci_flexvolume_driver.log";
        let at = |name: &str| {
            let dir = dir.join(name);
            std::fs::create_dir_all(&dir).unwrap();
            dir
        };
        let fifo = |path: &Path| {
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        };
        let (unread, unread_lock, full, dead) =
            (at("unread"), at("unread-lock"), at("full"), at("dead"));
        fifo(&unread.join(name));
        fifo(&unread_lock.join(format!("{name}.lock")));
        File::create(unread_lock.join(name)).unwrap().set_len(10 << 20).unwrap();
        fifo(&full.join(name));
        let mut reader = File::options().read(true).write(true).open(full.join(name)).unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        while std::io::Write::write(&mut reader, &[0; 4096]).is_ok() {}
        let dirs = vec![
            ("a pipe without a reader", unread),
            ("a pipe in place of the lock of its rotation", unread_lock),
            ("a pipe that is full", full),
            ("a file system that does not answer", dead.clone()),
        ];
        Self { dirs, _dead: DeadFileSystem::at(&dead), _full: reader }
    }
}

#[test]
fn a_log_that_blocks_holds_up_neither_the_call_nor_its_end() {
    let mut row = FaultRow::new("X3", "attach, and attach with SIGTERM, with a log that blocks");
    let quick = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    let slow = slow_cluster();
    let logs = BlockedLogs::below(quick.dir());
    for (what, dir) in &logs.dirs {
        for verb in ["attach", "isattached"] {
            let options = quick.options(&[]);
            let mut command = quick.controller().command(&[verb, &options, "node-1"]);
            command.env("OCI_FLEXD_DRIVER_LOG_DIR", dir).env("OCI_FLEXD_LOG_LEVEL", "trace");
            let answer = testbed::run(command).unwrap();
            success(&answer);
        }
        let answer = interrupted(&slow, dir, Signal::TERM);
        failure_with(&answer, &["interrupted by SIGTERM"]);
        row.saw(what, "Success; interrupted by SIGTERM");
    }
}

#[test]
fn a_dead_log_holds_up_one_process_and_not_one_a_call() {
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    let dead = DeadFileSystem::at(&cluster.dir().join("dead"));
    for _ in 0..3 {
        let options = cluster.options(&[]);
        let mut command = cluster.controller().command(&["isattached", &options, "node-1"]);
        command.env("OCI_FLEXD_DRIVER_LOG_DIR", cluster.dir().join("dead"));
        success(&testbed::run(command).unwrap());
    }
    // The writers of the later calls end when they see that the first one has the lock.
    let asked = Instant::now();
    while log_writers(&cluster) != 1 {
        assert!(asked.elapsed() < Duration::from_secs(60), "{} writers", log_writers(&cluster));
        thread::sleep(Duration::from_millis(20));
    }
    drop(dead);
}

/// How many processes write the log of this cluster's calls.
fn log_writers(cluster: &Cluster) -> usize {
    let dir = cluster.dir().to_string_lossy();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let writes = |process: &std::fs::DirEntry| {
        let read = |name: &str| std::fs::read(process.path().join(name)).unwrap_or_default();
        read("cmdline") == b"oci\0--write-log\0"
            && String::from_utf8_lossy(&read("environ")).contains(&*dir)
    };
    processes.filter(writes).count()
}

#[test]
fn a_call_goes_on_without_room_for_files() {
    let mut row = FaultRow::new("X3", "attach and isattached under ulimit -f 0");
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    for verb in ["attach", "isattached"] {
        let options = cluster.options(&[]);
        let limit = ["sh", "-c", r#"ulimit -f 0; exec "$@""#, "sh"];
        let command = cluster.controller().command_under(&limit, &[verb, &options, "node-1"]);
        let answer = testbed::run(command).unwrap();
        success(&answer);
        row.shows(&answer);
    }
}

/// The signals for one process group are not for the process that writes the log.
#[test]
fn a_signal_for_the_whole_group_leaves_its_line_in_the_log() {
    let cluster = slow_cluster();
    let mut command = cluster.controller().command(&["attach", &cluster.options(&[]), "node-1"]);
    command.process_group(0).stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    while !cluster.sim.requests().iter().any(|it| it.path.contains("volumeAttachments/")) {
        thread::sleep(Duration::from_millis(10));
    }
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("interrupted by SIGINT"),
        "{output:?}"
    );
    let log = cluster.controller().folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap().clone();
    let log = read_log(&log.join("oci_flexvolume_driver.log"));
    assert!(log.lines().last().unwrap().contains("interrupted by SIGINT"), "{log}");
}

#[test]
fn the_writer_of_a_log_needs_no_call() {
    let mut command = Command::new(binary());
    command.arg("--write-log").env("OCI_FLEXD_DRIVER_LOG_DIR", "/dev/null/log");
    assert_eq!(testbed::run(command).unwrap().text, "");
}
