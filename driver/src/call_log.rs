//! The log of one call: which records, in which form, and over what they reach the file.

use std::{
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clock::{Clock, SystemClock};
use flexvolume::Reply;
use log::{Level, LevelFilter, Metadata, Record};
use serde_json::Value;

use crate::{
    log_line::{self, Format, Head},
    log_pipe::LogPipe,
};

/// Where, how much and in which form to log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The file; its folder is made when missing.
    pub file: PathBuf,
    /// The file that is used where `file` would lie in a folder that the callers watch.
    pub default_file: PathBuf,
    /// The driver directory: it is watched, and so is the plug-in directory that it is in.
    pub driver_dir: PathBuf,
    /// Where the processes that write agree on whose turn it is.
    pub run_dir: PathBuf,
    /// `error`, `warn`, `info` (the default), `debug`, `trace` or `off`.
    pub level: Option<String>,
    /// `text` (the default) or `json`.
    pub format: Option<String>,
}

impl Log {
    /// Sends all records of this process to the file.
    ///
    /// Whether the file can be written is found out by another process ([`crate::log_writer`]): a log never changes
    /// the outcome of a call, and never holds it up.
    pub(crate) fn start(&self, args: &[OsString]) {
        let level = self.level.as_deref().map_or(Some(LevelFilter::Info), |it| it.parse().ok());
        let format = Format::named(self.format.as_deref());
        // A successful `init` writes nothing: where the log is watched, it would be called again and again.
        let frequent = flexvolume::is_frequent(args);
        let mut pipe = LogPipe::default();
        if !frequent && level != Some(LevelFilter::Off) {
            pipe.open();
        }
        let logger = Logger {
            level: level.unwrap_or(LevelFilter::Info),
            format: format.unwrap_or(Format::Text),
            call: call_id(),
            started: SystemClock.monotonic(),
            pipe: Mutex::new(pipe),
        };
        log::set_max_level(logger.level);
        // Fails only where a logger runs already, and then that one is used.
        let _ = log::set_boxed_logger(Box::new(logger));
        if frequent {
            return;
        }
        for (value, variable, known) in [
            (level.is_none().then_some(&self.level), LEVEL, "error, warn, info, debug, trace, off"),
            (format.is_none().then_some(&self.format), FORMAT, "text, json"),
        ] {
            let Some(value) = value.and_then(Option::as_deref) else { continue };
            log::error!(variable, value, known; "the environment asks for a log that does not exist");
        }
    }
}

/// Logs how the call has ended, and waits, but not long, until what was logged has reached the file. Nothing is
/// logged afterwards.
pub(crate) fn outcome(args: &[OsString], reply: &Reply, particulars: &[(&'static str, Value)]) {
    flexvolume::log_outcome(args, reply, particulars);
    log::logger().flush();
}

struct Logger {
    level: LevelFilter,
    format: Format,
    call: String,
    started: Duration,
    pipe: Mutex<LogPipe>,
}

impl Logger {
    /// Held only while something is written that does not wait, but for the end.
    fn pipe(&self) -> MutexGuard<'_, LogPipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let library = metadata.target().split("::").next().unwrap_or_default();
        metadata.level() <= self.level && !LIBRARIES.contains(&library)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let head = Head {
            time: SystemClock.now(),
            call: &self.call,
            elapsed: SystemClock.monotonic().saturating_sub(self.started),
        };
        let line = log_line::line(self.format, &head, record);
        let lost = |count: usize| {
            let text = format_args!("lines are missing here: the log does not keep up");
            let mut notice = Record::builder();
            notice.level(Level::Warn).target(module_path!()).args(text);
            log_line::line(self.format, &head, &notice.key_values(&("lines", count)).build())
        };
        self.pipe().send(line, lost);
    }

    fn flush(&self) {
        self.pipe().finish();
    }
}

/// Joins the lines of one call; time and process make it unlike all others.
fn call_id() -> String {
    let mut hasher = DefaultHasher::new();
    (SystemClock.now(), process::id()).hash(&mut hasher);
    format!("{:08x}", hasher.finish() >> 32)
}

/// The HTTP and TLS libraries log headers; the crates of this workspace say what matters.
const LIBRARIES: [&str; 3] = ["ureq", "ureq_proto", "rustls"];
const LEVEL: &str = "OCI_FLEXD_LOG_LEVEL";
const FORMAT: &str = "OCI_FLEXD_LOG_FORMAT";
