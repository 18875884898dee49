//! The log records of the thread that asks, in place of a log file; and what is recorded.

use std::{cell::RefCell, ffi::OsString, sync::Once};

use flexvolume::log_outcome;
use log::{
    LevelFilter, Log, Metadata, Record,
    kv::{Error, Key, Value, VisitSource},
};

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
        let mut line = Line(format!("{} {}", record.level(), record.args()));
        record.key_values().visit(&mut line).unwrap();
        let Line(line) = line;
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// A record, with its pairs.
struct Line(String);

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0 += &format!(" {key}={value:?}");
        Ok(())
    }
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[track_caller]
fn check(args: &[&str], expected: &[&str]) {
    let lines = of(|| {
        let reply = call(&Echo, args);
        let args: Vec<_> = args.iter().map(OsString::from).collect();
        log_outcome(&args, &reply, &[("requests", 3.into())]);
    });
    assert_eq!(lines, expected);
}

#[test]
fn a_call_is_recorded_with_what_it_is_about_and_what_came_of_it() {
    check(
        &[
            "isattached",
            r#"{"size":"50","kubernetes.io/readwrite":"ro","kubernetes.io/pvOrVolumeName":"pv","kubernetes.io/secret/a":"TUFSSw=="}"#,
            "a\nb",
        ],
        &[
            r#"INFO call begins verb="isattached" volume="pv" node="a\nb" access="ro" options="kubernetes.io/pvOrVolumeName,kubernetes.io/readwrite,size""#,
            r#"INFO call ends verb="isattached" volume="pv" node="a\nb" result="Success" answer=false requests=3"#,
        ],
    );
    check(
        &["waitforattach", "/dev/x", r#"{"kubernetes.io/fsType":"xfs"}"#],
        &[
            r#"INFO call begins verb="waitforattach" device="/dev/x" access="rw" fs_type="xfs" options="kubernetes.io/fsType""#,
            r#"INFO call ends verb="waitforattach" device="/dev/x" result="Success" answer="/dev/x" requests=3"#,
        ],
    );
    check(
        &["expandfs", "{}", "/dev/x", "/d", "0", "5"],
        &[
            r#"INFO call begins verb="expandfs" device="/dev/x" dir="/d" new_bytes=0 old_bytes=5 access="rw" options="""#,
            r#"INFO call ends verb="expandfs" device="/dev/x" dir="/d" new_bytes=0 old_bytes=5 result="Success" answer=5 requests=3"#,
        ],
    );
}

#[test]
fn a_failure_is_recorded_once_with_its_causes() {
    check(
        &["attach", "{}", "lost"],
        &[
            r#"INFO call begins verb="attach" node="lost" access="rw" options="""#,
            r#"ERROR call ends verb="attach" node="lost" result="Failure" requests=3 error="cannot find node lost: HTTP 404""#,
        ],
    );
    check(
        &["unmount"],
        &[
            r#"ERROR call ends verb="unmount" result="Failure" requests=3 error="wrong number of arguments: expected 1, given 0; usage: unmount <pod volume dir>""#,
        ],
    );
}

#[test]
fn a_failure_is_recorded_whole() {
    let [volume, node] = ["v", "n"].map(|letter| letter.repeat(1000));
    let lines = of(|| {
        let args = ["detach", &volume, &node].map(OsString::from);
        log_outcome(&args, &call(&Echo, &["detach", &volume, &node]), &[]);
    });
    assert!(lines[1].ends_with(&format!(r#"error="\"{volume}\" \"{node}\"""#)), "{lines:?}");
}

#[test]
fn calls_that_come_all_the_time_stay_out_of_the_ordinary_log() {
    check(
        &["init"],
        &[
            r#"TRACE call begins verb="init""#,
            r#"TRACE call ends verb="init" result="Success" requests=3"#,
        ],
    );
    check(
        &["getvolumename", "{}"],
        &[
            r#"DEBUG call begins verb="getvolumename""#,
            r#"DEBUG call ends verb="getvolumename" result="Not supported" requests=3"#,
        ],
    );
    check(&["waitfordetach"], &[r#"DEBUG call ends result="Not supported" requests=3"#]);
}
