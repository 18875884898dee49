//! One line for each expectation.

use crate::{Answer, FaultRow};

/// The call was one JSON object that says Success, and ended with 0.
#[track_caller]
pub fn success(answer: &Answer) {
    assert!(answer.is_success(), "{answer:?}");
}

/// The call was one JSON object that says Failure and exactly `message`, and ended with 1.
#[track_caller]
pub fn failure(answer: &Answer, message: &str) {
    assert_eq!(answer.field("status").as_deref(), Some("Failure"), "{answer:?}");
    assert_eq!(answer.message(), message);
    assert_eq!(answer.code, Some(1));
}

/// The call was a Failure whose message holds all of `parts`.
#[track_caller]
pub fn failure_with(answer: &Answer, parts: &[&str]) {
    assert_eq!(answer.field("status").as_deref(), Some("Failure"), "{answer:?}");
    let message = answer.message();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(answer.code, Some(1));
}

/// [`failure_with`], and the fault matrix says so: `done` is what was done to the system.
#[track_caller]
pub fn seen_to_fail(row: &'static str, done: impl Into<String>, answer: &Answer, parts: &[&str]) {
    let mut row = FaultRow::new(row, done);
    row.shows(answer);
    failure_with(answer, parts);
}

/// [`success`], and the fault matrix says so.
#[track_caller]
pub fn seen_to_succeed(row: &'static str, done: impl Into<String>, answer: &Answer) {
    let mut row = FaultRow::new(row, done);
    row.shows(answer);
    success(answer);
}
