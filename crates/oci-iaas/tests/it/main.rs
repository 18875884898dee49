//! The crate through its public face: names, calls, answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

/// A file of `testdata/`.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../testdata/", $name, ".json"))
    };
}

mod answers;
mod attachments;
mod calls;
mod checks;
mod encoding;
mod ocids;
mod regions;
