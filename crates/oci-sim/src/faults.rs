//! Faults as data: which call goes wrong, and how.

use std::fmt;
use std::ops::{RangeFrom, RangeInclusive};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One rule: the calls it is for, and what happens to them. Several rules may hit the same call; each does its part.
///
/// As JSON: `{"on": "AttachVolume", "calls": "1", "effect": "drop_after"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// An operation by Oracle's name (`AttachVolume`), a method and the beginning of a path (`GET /20160918/volumes`), or
    /// `*` for every request.
    pub on: String,
    /// Which of the matching calls, counted from when the fault was set.
    #[serde(default)]
    pub calls: Calls,
    /// What happens to them.
    pub effect: Effect,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// Refused with Oracle's error document; nothing is performed.
    Status {
        /// The HTTP status.
        status: u16,
        /// Oracle's code.
        code: String,
        /// Its text.
        message: String,
    },
    /// Refused with 429 `TooManyRequests`; nothing is performed.
    Throttle {
        /// Seconds in the Retry-After header; Oracle promises none.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Another answer altogether, as load balancers and proxies give; nothing is performed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The content type.
        content_type: String,
        /// The body.
        body: String,
    },
    /// The connection is reset before anything is performed.
    DropBefore,
    /// The call is performed, then the connection is reset without an answer.
    DropAfter,
    /// The call is performed; its answer breaks off in the middle of the body: the connection ends early.
    HalfBody,
    /// The call is performed; the answer says it is of this content type.
    ContentType(String),
    /// The call is performed; the body of its answer is this text instead.
    Body(String),
    /// The call is performed; the answer comes this many milliseconds late.
    Delay(u64),
    /// The call is performed, and answered, this many milliseconds late.
    Late(u64),
    /// The call is performed twice, as by a proxy that repeats; the second answer is given.
    Twice,
    /// What the call begins never ends: it stays ATTACHING, DETACHING or PROVISIONING.
    Stuck,
    /// What the call begins fails: ATTACHING is followed by DETACHED, DETACHING by ATTACHED, PROVISIONING by FAULTY.
    Fails,
    /// Lists show the state before this call for as many list calls.
    ListsLag(u32),
    /// The list is answered by an empty page that has a next one: the real first page.
    EmptyPage,
    /// The filters of the list are ignored, but for the compartment.
    Unfiltered,
    /// The call is performed; this field of its answer, or of each element of a list, has this value instead.
    Field {
        /// The field.
        name: String,
        /// Its value.
        value: Value,
    },
    /// The page of the list lacks its first element, which has moved to the page before, where another one has gone.
    PageSkips,
    /// The page of the list names itself as the next one.
    EndlessList,
}

/// A range of calls, from 1. As text `3`, `2-4`, `2-` or `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Calls {
    first: u64,
    last: u64,
}

impl Fault {
    /// A rule; `calls` is a number (`1`) or a range (`2..=4`, `1..`).
    pub fn new(on: impl Into<String>, calls: impl Into<Calls>, effect: Effect) -> Self {
        Self { on: on.into(), calls: calls.into(), effect }
    }
}

impl Effect {
    /// [`Effect::Status`] in short.
    pub fn status(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Status { status, code: code.into(), message: message.into() }
    }
}

/// The faults that are set, each with the number of calls it has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call and tells what shall happen to it.
    pub(crate) fn hit(&mut self, operation: &str, method: &str, path: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (fault, seen) in &mut self.0 {
            if matches(&fault.on, operation, method, path) {
                *seen += 1;
                if fault.calls.contains(*seen) {
                    effects.push(fault.effect.clone());
                }
            }
        }
        effects
    }
}

fn matches(on: &str, operation: &str, method: &str, path: &str) -> bool {
    match on.split_once(' ') {
        Some((wanted, prefix)) => wanted == method && path.starts_with(prefix),
        None => on == "*" || on == operation,
    }
}

impl Calls {
    fn contains(self, call: u64) -> bool {
        (self.first..=self.last).contains(&call)
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self { first: 1, last: u64::MAX }
    }
}

impl From<u64> for Calls {
    fn from(call: u64) -> Self {
        Self { first: call, last: call }
    }
}

impl From<RangeInclusive<u64>> for Calls {
    fn from(calls: RangeInclusive<u64>) -> Self {
        Self { first: *calls.start(), last: *calls.end() }
    }
}

impl From<RangeFrom<u64>> for Calls {
    fn from(calls: RangeFrom<u64>) -> Self {
        Self { first: calls.start, last: u64::MAX }
    }
}

impl FromStr for Calls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is no range of calls: write 3, 2-4, 2- or *");
        let number = |text: &str| text.parse::<u64>().map_err(|_| error());
        match text.split_once('-') {
            _ if text == "*" => Ok(Self::default()),
            None => Ok(Self::from(number(text)?)),
            Some((first, "")) => Ok(Self::from(number(first)?..)),
            Some((first, last)) => Ok(Self::from(number(first)?..=number(last)?)),
        }
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (1, u64::MAX) => f.write_str("*"),
            (first, u64::MAX) => write!(f, "{first}-"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl TryFrom<String> for Calls {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Calls> for String {
    fn from(calls: Calls) -> Self {
        calls.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(on: &str, calls: &str, hits: &[usize]) {
        let mut faults = Faults::default();
        faults.add(Fault::new(on, calls.parse::<Calls>().unwrap(), Effect::DropBefore));
        let seen: Vec<usize> = [
            ("AttachVolume", "POST", "/20160918/volumeAttachments"),
            ("GetVolume", "GET", "/20160918/volumes/a"),
            ("GetVolume", "GET", "/20160918/volumes/b"),
            ("AttachVolume", "POST", "/20160918/volumeAttachments"),
            ("GetVolume", "GET", "/20160918/volumes/a"),
        ]
        .iter()
        .enumerate()
        .filter(|(_, (operation, method, path))| !faults.hit(operation, method, path).is_empty())
        .map(|(index, _)| index)
        .collect();
        assert_eq!(seen, hits);
    }

    #[test]
    fn the_right_calls_are_hit() {
        check("AttachVolume", "1", &[0]);
        check("AttachVolume", "2-", &[3]);
        check("AttachVolume", "*", &[0, 3]);
        check("GetVolume", "2-3", &[2, 4]);
        check("GET /20160918/volumes/a", "2", &[4]);
        check("POST /", "*", &[0, 3]);
        check("*", "4-", &[3, 4]);
        check("ListVolumes", "*", &[]);
    }

    #[test]
    fn faults_are_json() {
        let text = r#"{"on":"AttachVolume","calls":"1","effect":{"status":{"status":503,"code":"ServiceUnavailable","message":"later"}}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(
            fault,
            Fault::new("AttachVolume", 1, Effect::status(503, "ServiceUnavailable", "later"))
        );
        assert_eq!(serde_json::to_string(&fault).unwrap(), text);
        let fault: Fault = serde_json::from_str(r#"{"on":"*","effect":{"delay":20}}"#).unwrap();
        assert_eq!(fault, Fault::new("*", 1.., Effect::Delay(20)));
        let error = serde_json::from_str::<Fault>(r#"{"on":"*","calls":"a-b","effect":"stuck"}"#)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a-b` is no range of calls: write 3, 2-4, 2- or * at line 1 column 23"
        );
    }
}
