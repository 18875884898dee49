//! The log: one line a record, one write a line, opened when there is something to say.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;
use clock::{Clock, SystemClock};
use log::LevelFilter;

/// Where and how much to log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The file; its folder is made when missing.
    pub file: PathBuf,
    /// `error`, `warn`, `info` (the default), `debug`, `trace` or `off`.
    pub level: Option<String>,
}

impl Log {
    /// Sends all records of this process to the file.
    ///
    /// Whether the file can be written is found out at the first record; a log never changes the
    /// outcome of a call.
    ///
    /// # Errors
    /// A logger was started before.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        let level = self.level.as_deref().and_then(|level| level.parse().ok());
        let pid = process::id();
        let file = LazyFile { path: self.file.clone(), line: Vec::new(), file: None };
        let writer: Box<dyn Write + Send> = Box::new(file);
        fern::Dispatch::new()
            .level(level.unwrap_or(LevelFilter::Info))
            // The HTTP and TLS libraries log headers; ours say what matters.
            .level_for("ureq", LevelFilter::Off)
            .level_for("ureq_proto", LevelFilter::Off)
            .level_for("rustls", LevelFilter::Off)
            .format(move |out, message, record| {
                let time = humantime::format_rfc3339_millis(SystemClock.now());
                let (level, target) = (record.level(), record.target());
                let text = one_line(&message.to_string());
                out.finish(format_args!("{time} {pid} {level} {target}: {text}"));
            })
            .chain(fern::Output::writer(writer, "\n"))
            .apply()
            .context("a logger is already running")
    }
}

/// A record is a line: whatever a tool or a service said, it cannot forge another.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Collects a line and appends it with one write, so that lines of several processes do not mix.
struct LazyFile {
    path: PathBuf,
    line: Vec<u8>,
    file: Option<File>,
}

impl Write for LazyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        if self.file.is_none() {
            self.file = open(&self.path).ok();
        }
        match &mut self.file {
            // A full disk is no reason to complain on stderr, as fern would.
            Some(file) => file.write_all(&line).or(Ok(())),
            None => Ok(()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
    }
    rotate(path)?;
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
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
        .open(path.with_file_name(name))?;
    // Somebody else is rotating: the old file takes one more line.
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
    use super::*;

    #[test]
    fn a_record_cannot_forge_a_second_line() {
        assert_eq!(one_line("a\nb\r\u{1b}[31mc"), "a b  [31mc");
    }

    #[test]
    fn a_full_log_is_moved_aside_and_the_oldest_falls_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for round in 0..5 {
            let mut file = open(&path).unwrap();
            write!(file, "{round}").unwrap();
            file.set_len(MAX_BYTES).unwrap();
        }
        let first = |path: &Path| fs::read(path).unwrap()[0];
        assert_eq!(first(&path), b'4');
        assert_eq!([1, 2, 3].map(|number| first(&numbered(&path, number))), *b"321");
        assert!(!numbered(&path, 4).exists());
    }

    #[test]
    fn a_line_is_written_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = LazyFile { path: path.clone(), line: Vec::new(), file: None };
        file.write_all(b"half ").unwrap();
        assert!(!path.exists());
        file.write_all(b"and half\n").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "half and half\n");
    }

    #[test]
    fn an_unwritable_log_is_silent() {
        let path = PathBuf::from("/dev/null/log");
        let mut file = LazyFile { path, line: Vec::new(), file: None };
        file.write_all(b"lost\n").unwrap();
        file.flush().unwrap();
    }
}
