//! The log's file: where it is, opened without waiting, rotated beside itself.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clock::{Clock, SystemClock};
use log::{Level, Record};
use rustix::fs::OFlags;

use crate::{
    Log,
    log_line::{self, Format, Head},
    log_place::{Watched, real},
};

/// The file, opened when there is something to write.
pub(crate) struct LogFile<'a> {
    log: &'a Log,
    state: State,
}

enum State {
    New,
    Open(File),
    /// It is not there to be written; the call says the same in its reply.
    Failed,
}

impl<'a> LogFile<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Self { log, state: State::New }
    }

    /// Appends lines with one write, so that those of several processes do not mix. Errors are dropped: there is
    /// no place to tell them.
    pub(crate) fn append(&mut self, line: &[u8]) {
        if matches!(self.state, State::New) {
            self.state = self.open().map_or(State::Failed, State::Open);
        }
        if let State::Open(file) = &mut self.state {
            let _ = file.write_all(line);
        }
    }

    fn open(&self) -> io::Result<File> {
        let Log { file, default_file, .. } = self.log;
        let watched = Watched::new(&self.log.driver_dir);
        if let Some(path) = real(file, &watched)? {
            return open(&path);
        }
        let Some(path) = real(default_file, &watched)? else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut opened = open(&path)?;
        opened.write_all(self.notice(file).as_bytes())?;
        Ok(opened)
    }

    fn notice(&self, file: &Path) -> String {
        let format = Format::named(self.log.format.as_deref()).unwrap_or(Format::Text);
        let text = format_args!(
            "OCI_FLEXD_DRIVER_LOG_DIR leads into the plug-in directory, which kubelet watches: a file that is \
             written there has it run init again and again, so the log is here; remove the variable, or run \
             install.sh, which puts a link there"
        );
        let mut record = Record::builder();
        record.level(Level::Warn).target(module_path!()).args(text);
        let head = Head { time: SystemClock.now(), call: "-", elapsed: SystemClock.monotonic() };
        let asked = file.display().to_string();
        let pairs = ("asked", asked.as_str());
        log_line::line(format, &head, &record.key_values(&pairs).build())
    }
}

/// Opens a regular file, and waits for nothing: a pipe without a reader would hold up who opens it.
fn open(path: &Path) -> io::Result<File> {
    rotate(path)?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY).bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Moves a full log aside, keeping the last few; many processes may want to at once.
fn rotate(path: &Path) -> io::Result<()> {
    let full = |path: &Path| fs::metadata(path).is_ok_and(|it| it.len() >= MAX_BYTES);
    if !full(path) {
        return Ok(());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed())
        .open(path.with_file_name(name))?;
    // Another process is rotating: the old file takes some more lines.
    if lock.try_lock().is_err() || !full(path) {
        return Ok(());
    }
    for old in (1..KEPT).rev() {
        let _ = fs::rename(numbered(path, old), numbered(path, old + 1));
    }
    fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

const MAX_BYTES: u64 = 10 << 20;
const KEPT: u32 = 3;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn log(dir: &Path) -> Log {
        Log {
            file: dir.join("log/file"),
            default_file: dir.join("default/file"),
            driver_dir: dir.join("exec/oracle~oci"),
            run_dir: dir.join("run"),
            level: None,
            format: None,
        }
    }

    fn append(log: &Log, line: &str) {
        LogFile::new(log).append(line.as_bytes());
    }

    #[test]
    fn a_full_log_is_moved_aside_and_the_oldest_falls_off() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        for round in 0..5 {
            append(&log, &round.to_string());
            File::options().write(true).open(&log.file).unwrap().set_len(MAX_BYTES).unwrap();
        }
        let first = |path: &Path| fs::read(path).unwrap()[0];
        assert_eq!(first(&log.file), b'4');
        assert_eq!([1, 2, 3].map(|number| first(&numbered(&log.file, number))), *b"321");
        assert!(!numbered(&log.file, 4).exists());
    }

    /// As the installer leaves it, with the variable as it was set for the Go driver.
    #[test]
    fn a_link_in_the_driver_directory_is_followed_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let real = log(dir.path()).file;
        let log = Log { file: dir.path().join("exec/oracle~oci/file"), ..log(dir.path()) };
        fs::create_dir_all(&log.driver_dir).unwrap();
        symlink(&real, &log.file).unwrap();
        for round in 0..2 {
            append(&log, &round.to_string());
            File::options().write(true).open(&real).unwrap().set_len(MAX_BYTES).unwrap();
        }
        assert_eq!(fs::read_link(&log.file).unwrap(), real);
        assert_eq!(fs::read(&real).unwrap()[0], b'1');
        assert_eq!(fs::read(numbered(&real, 1)).unwrap()[0], b'0');
        assert_eq!(fs::read_dir(&log.driver_dir).unwrap().count(), 1);
    }

    #[test]
    fn a_log_in_the_plug_in_directory_is_kept_elsewhere_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        for place in ["exec/oracle~oci/file", "exec/oracle~oci/log/file", "exec/log/file"] {
            for there in [false, true] {
                let log = Log { file: dir.path().join(place), ..log(dir.path()) };
                if there {
                    fs::create_dir_all(log.file.parent().unwrap()).unwrap();
                    fs::write(&log.file, "old").unwrap();
                }
                append(&log, "text\n");
                let text = fs::read_to_string(&log.default_file).unwrap();
                let (notice, line) = text.split_once('\n').unwrap();
                assert!(notice.contains(" level=warn ") && notice.contains(place), "{notice}");
                assert_eq!(line, "text\n");
                assert_eq!(fs::read_to_string(&log.file).ok().as_deref(), there.then_some("old"));
                fs::remove_dir_all(log.default_file.parent().unwrap()).unwrap();
                let _ = fs::remove_dir_all(dir.path().join("exec"));
            }
        }
    }

    #[test]
    fn what_is_no_regular_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        fs::create_dir_all(log.file.parent().unwrap()).unwrap();
        for target in ["/dev/full", "/dev/null", "/dev/tty", "/", "file"] {
            symlink(target, &log.file).unwrap();
            let mut file = LogFile::new(&log);
            file.append(b"lost\n");
            assert!(matches!(file.state, State::Failed), "{target}");
            fs::remove_file(&log.file).unwrap();
        }
        fs::create_dir(&log.file).unwrap();
        append(&log, "lost\n");
        let nowhere = Log { file: "/dev/null/log".into(), ..log };
        append(&nowhere, "lost\n");
    }
}
