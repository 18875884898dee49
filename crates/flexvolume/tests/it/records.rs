//! The log records of the thread that asks, in place of a log file; and what is recorded.

use std::{cell::RefCell, sync::Once};

use log::{LevelFilter, Log, Metadata, Record};

use crate::backend::{Echo, call};

/// Runs `action` and returns its log, one `LEVEL text` line per record, all levels.
pub(crate) fn of(action: impl FnOnce()) -> Vec<String> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Memory).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.take();
    action();
    LINES.take()
}

struct Memory;

impl Log for Memory {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[track_caller]
fn check(args: &[&str], expected: &[&str]) {
    assert_eq!(of(|| drop(call(&Echo, args))), expected);
}

#[test]
fn a_call_is_recorded_with_the_names_of_its_options() {
    check(
        &["isattached", r#"{"size":"50","kubernetes.io/readwrite":"rw"}"#, "a\nb"],
        &[r#"INFO IsAttached { options: {"kubernetes.io/readwrite", "size"}, node: "a\nb" }"#],
    );
}

#[test]
fn a_failure_is_recorded_once_with_its_causes() {
    check(
        &["attach", "{}", "lost"],
        &[r#"INFO Attach { options: {}, node: "lost" }"#, "ERROR cannot find node lost: HTTP 404"],
    );
    check(
        &["unmount"],
        &["ERROR wrong number of arguments: expected 1, given 0; usage: unmount <pod volume dir>"],
    );
}

#[test]
fn calls_that_come_all_the_time_stay_out_of_the_ordinary_log() {
    check(&["init"], &["TRACE Init"]);
    check(&["getvolumename", "{}"], &["DEBUG GetVolumeName"]);
    check(&["waitfordetach"], &[]);
}
