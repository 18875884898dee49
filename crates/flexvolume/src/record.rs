//! The two lines that the log has of every call: what was asked, and what came of it.

use std::{ffi::OsString, path::Path};

use log::{Level, Record, kv};
use serde_json::Value;

use crate::{Call, Reply, Status};

/// Whether callers make this call many times a minute, to change nothing. A successful one of these leaves nothing in
/// an ordinary log: callers watch the driver's directory, and a log that is kept there would make them call again.
pub fn is_frequent(args: &[OsString]) -> bool {
    matches!(Call::parse(args), Ok(Call::Init | Call::GetVolumeName))
}

/// Logs that a call begins: its arguments, but of the options only the names and what the caller sets.
pub(crate) fn opening(call: &Call) {
    let mut pairs = subject(call);
    if let Some(options) = call.options() {
        let access = options.read_only().map(|read_only| if read_only { "ro" } else { "rw" });
        pairs.extend(access.ok().map(|it| ("access", it.into())));
        pairs.extend(options.fs_type().map(|it| ("fs_type", it.into())));
        pairs.push(("options", options.names().collect::<Vec<_>>().join(",").into()));
    }
    log(level(call), "call begins", &pairs);
}

/// Logs what came of a call, with the whole chain of a failure, which the reply may have cut, and with `particulars`
/// that only the backend knows. It is for after the reply.
pub fn log_outcome(args: &[OsString], reply: &Reply, particulars: &[(&'static str, Value)]) {
    let call = Call::parse(args);
    let level = match (reply.status(), &call) {
        (Status::Failure, _) => Level::Error,
        (_, Ok(call)) => level(call),
        (_, Err(_)) => Level::Debug,
    };
    let mut pairs = match &call {
        Ok(call) => subject(call),
        Err(_) => Call::known_verb(args).map(|verb| ("verb", verb.into())).into_iter().collect(),
    };
    pairs.push(("result", reply.status().as_str().into()));
    pairs.extend(reply.answer().map(|answer| ("answer", answer)));
    pairs.extend_from_slice(particulars);
    pairs.extend(reply.whole_message().map(|message| ("error", message.into())));
    log(level, "call ends", &pairs);
}

/// What the call is about.
fn subject(call: &Call) -> Vec<(&'static str, Value)> {
    let path = |key, path: Option<&Path>| path.map(|it| (key, it.to_string_lossy().into()));
    let size = |key, bytes: Option<u64>| bytes.map(|it| (key, it.into()));
    let text = |key, text: Option<&str>| text.map(|it| (key, it.into()));
    let (new_bytes, old_bytes) = call.sizes().unzip();
    [
        text("verb", Some(call.verb())),
        text("volume", call.volume()),
        text("node", call.node()),
        path("device", call.device()),
        path("dir", call.dir()),
        size("new_bytes", new_bytes),
        size("old_bytes", old_bytes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn log(level: Level, text: &str, pairs: &[(&'static str, Value)]) {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, plain(value))).collect();
    let (slice, mut record) = (pairs.as_slice(), Record::builder());
    record.level(level).target(module_path!()).key_values(&slice);
    log::logger().log(&record.args(format_args!("{text}")).build());
}

fn plain(value: &Value) -> kv::Value<'_> {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Bool(it) => (*it).into(),
        value => value.as_u64().map_or_else(|| kv::Value::from_display(value), Into::into),
    }
}

/// `init` and `getvolumename` come many times a minute and change nothing.
fn level(call: &Call) -> Level {
    match call {
        Call::Init => Level::Trace,
        Call::GetVolumeName => Level::Debug,
        _ => Level::Info,
    }
}
